"""The main states of the app as pictures, kept in ``pictures/`` so that a change of the looks is looked at.

They are drawn from reports that were made once (``python tests/frozen_reports.py``), in an app whose
surroundings are fixed: no clock, port, folder or machine shows in them. What is compared is what somebody
sees, each piece of text with its place, colour and weight, and each background: the bytes of an SVG hold
names and numbers that Rich changes at will. After a change on purpose:
KEEP_SNAPSHOTS=1 pytest tests/tui/test_pictures.py, and look at them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from app_screens import shown, until
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.discovering import entries_of
from diagnose_tui.entries import Entry
from diagnose_tui.playing import DEMOS, demo_entry
from diagnose_tui.screens.login import LoginScreen
from diagnose_tui.widgets.run_list import Calendar
from frozen_reports import frozen
from pictures import drawn, seen, settled
from textual.pilot import Pilot

from diagnose.connector import BearerCredential, Connector, Secret, Source, StdioTransport, discover
from diagnose.history.runs import History
from diagnose.model import Problem, Report
from diagnose.options import Options
from diagnose.records import record

KEPT = Path(__file__).parent / "pictures"
SMALL, USUAL, WIDE = (80, 24), (120, 36), (160, 50)
NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
SURROUNDINGS = {"HOME": "/home/ana", "DIAGNOSE_STATE_DIR": "/home/ana/state", "DIAGNOSE_HISTORY": "off"}
ROWS = (
    ("tickets", "auth-issuer-mismatch", "Cursor", "~/.cursor/mcp.json:4"),
    ("calendar", "healthy-modern-tls", "Claude Desktop", "~/.config/Claude/claude_desktop_config.json:3"),
    ("wiki", "tls-expired", "VS Code", ".vscode/mcp.json:12"),
    ("intranet", "http-wrong-path", "VS Code", ".vscode/mcp.json:16"),
    ("warehouse", "list-many-bad-tools", "Cursor", "~/.cursor/mcp.json:9"),
    ("notes", "stdio-command-not-found", "Cursor", "~/.cursor/mcp.json:13"),
)
LOGIN = (
    "https://login.example.com/authorize?response_type=code&client_id=2f0c&code_challenge_method=S256"
    "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&redirect_uri=http%3A%2F%2F127.0.0.1%3A33418"
    "%2Fcallback&scope=tickets%3Aread&state=af0ifjsldkj&resource=https%3A%2F%2Fmcp.example.com%2Fmcp"
)
Act = Callable[[Pilot[Any], DiagnoseApp], Awaitable[None]]


@record
class Picture:
    """One state: over which rows, reached how."""

    act: Act
    size: tuple[int, int] = USUAL
    rows: Callable[[], Sequence[Entry]] = lambda: reports()
    environ: dict[str, str] = field(default_factory=dict)
    none_found: bool = False
    ascii_only: bool = False


def reports() -> list[Entry]:
    """A connector with a finished run for each report."""
    return [_entry(name, frozen(scenario), client, place) for name, scenario, client, place in ROWS]


def _entry(name: str, report: Report, client: str, place: str) -> Entry:
    connector = report.connector
    argv = connector.command or []
    ours = (
        Connector(name=name, url=connector.url)
        if connector.url
        else Connector(name=name, transport=StdioTransport(command=argv[0], args=tuple(argv[1:])))
    )
    target = connector.url or " ".join(argv)
    return Entry(
        key=name, name=name, client=client, place=place, target=target, connector=ours, report=report
    )


def demos() -> list[Entry]:
    """What is there where nothing is configured."""
    return [demo_entry(name, label) for name, label in DEMOS]


def unusable() -> list[Entry]:
    """A file that cannot be read, beside what can."""
    with TemporaryDirectory() as home:
        file = Path(home) / ".cursor" / "mcp.json"
        file.parent.mkdir()
        file.write_text(
            '{"mcpServers": {\n  "mail": {\n    "command": "npx"\n    "args": ["mail"]\n  }\n}}\n'
        )
        (found,) = entries_of(discover({"HOME": home}, cwd=home, platform="linux"), Options())
    broken = [problem.model_dump_json().replace(home, "~") for problem in found.problems]
    moved = {name: getattr(found, name).replace(home, "~") for name in ("key", "name", "place")}
    problems = tuple(map(Problem.model_validate_json, broken))
    return [replace(found, problems=problems, **moved), *reports()[1:3]]


def with_secrets() -> list[Entry]:
    """A connector that has much to edit, and one whose command nobody has allowed yet."""
    desk = Connector(
        name="desk",
        url="https://mcp.example.com/mcp",
        headers={"X-Region": "eu", "X-Api-Key": "lab-canary-51"},
        credential=BearerCredential(token=Secret("lab-canary-52")),
    )
    files = Connector(
        name="files",
        transport=StdioTransport(
            command="npx", args=("-y", "files-server", "--token", "lab-canary-53"), cwd="/home/ana"
        ),
        source=Source(format="Cursor", file="/home/ana/.cursor/mcp.json", line=4, discovered=True),
    )
    return [
        Entry(key="desk", name="desk", client="Cursor", target="https://mcp.example.com/mcp", connector=desk),
        Entry(key="files", name="files", client="Cursor", target="npx -y files-server", connector=files),
    ]


def opened(name: str, *keys: str) -> Act:
    """Look at a row's run, then press ``keys``."""

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> None:
        app.main.enter(name)
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()

    return act


async def listed(pilot: Pilot[Any], app: DiagnoseApp) -> None:
    await until(pilot, lambda: "No connector was found" in shown(app))


async def unread(pilot: Pilot[Any], app: DiagnoseApp) -> None:
    await opened(next(iter(app.board.sessions)))(pilot, app)


async def compared(pilot: Pilot[Any], app: DiagnoseApp) -> None:
    before = frozen("healthy-modern-tls")
    app.board.sessions["wiki"].before = before.model_copy(
        update={"run": before.run.model_copy(update={"started_at": "2026-03-01T09:00:00Z"})}
    )
    await opened("wiki", "d")(pilot, app)
    await until(pilot, lambda: "are compared" not in shown(app))


async def logging_in(pilot: Pilot[Any], app: DiagnoseApp) -> None:
    await app.push_screen(LoginScreen(LOGIN, "https://login.example.com/register", clock=lambda: 0.0))


def kept_runs(*keys: str) -> Act:
    """Four earlier runs in the history of "wiki", then ``keys``."""

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> None:
        folder = Path(app.board.environ["DIAGNOSE_STATE_DIR"]) / "history"
        with History(folder / "history.sqlite3", now=NOW.timestamp) as history:
            for number, (hour, scenario) in enumerate(
                [
                    (2, "healthy-modern-tls"),
                    (5, "healthy-modern-tls"),
                    (8, "tls-expired"),
                    (10, "tls-expired"),
                ]
            ):
                history.add(_earlier(frozen(scenario), number, f"2026-03-02T{hour:02}:00:00Z"))
        app.main.calendar = Calendar(now=lambda: NOW, zone=UTC)
        app.main.enter("wiki")
        await until(pilot, lambda: len(app.board.kept.rows("wiki")) > 3)
        await opened("wiki", *keys)(pilot, app)

    return act


def _earlier(report: Report, number: int, moment: str) -> Report:
    expired = frozen("tls-expired").connector
    run = report.run.model_copy(
        update={"id": f"{number:08x}-0000-4000-8000-000000000000", "started_at": moment}
    )
    connector = expired.model_copy(update={"name": "wiki"})
    return report.model_copy(update={"run": run, "connector": connector})


PICTURES: dict[str, Picture] = {
    "list-of-demos": Picture(act=listed, rows=demos, none_found=True),
    "list-of-demos-80x24": Picture(act=listed, rows=demos, none_found=True, size=SMALL),
    "list-80x24": Picture(act=opened("tickets", "escape"), size=SMALL),
    "list-filtered": Picture(act=opened("calendar", "slash", *"cursor")),
    "cause": Picture(act=opened("tickets")),
    "cause-80x24": Picture(act=opened("tickets"), size=SMALL),
    "cause-160x50": Picture(act=opened("tickets"), size=WIDE),
    "cause-of-a-process": Picture(act=opened("notes"), size=SMALL),
    "fix": Picture(act=opened("tickets", "2")),
    "fix-80x24": Picture(act=opened("intranet", "2"), size=SMALL),
    "exchange": Picture(act=opened("tickets", "3")),
    "exchange-80x24": Picture(act=opened("intranet", "3"), size=SMALL),
    "exchange-160x50": Picture(act=opened("intranet", "3"), size=WIDE),
    "certificate": Picture(act=opened("wiki", "4")),
    "tools": Picture(act=opened("warehouse", "5")),
    "tools-80x24": Picture(act=opened("warehouse", "5"), size=SMALL),
    "curl-80x24": Picture(act=opened("intranet", "6"), size=SMALL),
    "json-80x24": Picture(act=opened("wiki", "7"), size=SMALL),
    "history-pane": Picture(act=kept_runs("8")),
    "history-80x24": Picture(act=kept_runs("h"), size=SMALL),
    "healthy": Picture(act=opened("calendar")),
    "healthy-phases-160x50": Picture(act=opened("calendar", "up", "space"), size=WIDE),
    "help": Picture(act=opened("tickets", "question_mark")),
    "help-80x24": Picture(act=opened("tickets", "question_mark"), size=SMALL),
    "explain-80x24": Picture(act=opened("wiki", "e"), size=SMALL),
    "copy-80x24": Picture(act=opened("wiki", "y"), size=SMALL),
    "export-80x24": Picture(act=opened("wiki", "x"), size=SMALL),
    "options": Picture(act=opened("desk", "o"), rows=with_secrets),
    "options-80x24": Picture(act=opened("desk", "o"), rows=with_secrets, size=SMALL),
    "confirm-80x24": Picture(act=opened("files", "r"), rows=with_secrets, size=SMALL),
    "login-80x24": Picture(act=logging_in, size=SMALL),
    "compare": Picture(act=compared),
    "broken-file": Picture(act=unread, rows=unusable, size=SMALL),
    "privacy": Picture(act=opened("tickets", "p")),
    "no-color-80x24": Picture(act=opened("wiki"), size=SMALL, environ={"NO_COLOR": "1"}),
    "ascii-80x24": Picture(act=opened("wiki"), size=SMALL, ascii_only=True),
    "light": Picture(act=opened("wiki"), environ={"DIAGNOSE_THEME": "catppuccin-latte"}, size=SMALL),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_state_looks_as_it_did_when_somebody_last_looked(name: str, tmp_path: Path) -> None:
    svg = asyncio.run(_picture(PICTURES[name], tmp_path))
    kept, new = KEPT / f"{name}.svg", tmp_path / f"{name}.svg"
    new.write_text(svg, encoding="utf-8", newline="\n")
    if os.environ.get("KEEP_SNAPSHOTS"):  # after a change on purpose: set it, run, look at the pictures
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(svg, encoding="utf-8", newline="\n")
    before = seen(kept.read_text(encoding="utf-8")) if kept.exists() else []
    assert before == seen(svg), (
        f"it looks like {new} now; if that is right: KEEP_SNAPSHOTS=1 pytest {__file__}"
    )


def test_every_kept_picture_is_drawn() -> None:
    assert sorted(PICTURES) == sorted(file.stem for file in KEPT.glob("*.svg"))


def test_no_picture_shows_a_secret() -> None:
    assert [] == [file.name for file in KEPT.glob("*.svg") if "canary" in file.read_text(encoding="utf-8")]


async def _picture(picture: Picture, state: Path) -> str:
    environ = {**SURROUNDINGS, **picture.environ}
    if picture.act.__qualname__.startswith("kept_runs"):
        environ |= {"DIAGNOSE_HISTORY": "on", "DIAGNOSE_STATE_DIR": str(state / "state")}
    finder: Callable[[], Sequence[Entry]] | None = (lambda: ()) if picture.none_found else None
    app = DiagnoseApp(picture.rows(), environ=environ, ascii_only=picture.ascii_only, finder=finder)
    async with asyncio.timeout(60), app.run_test(size=picture.size) as pilot:
        await settled(pilot)
        await picture.act(pilot, app)
        await settled(pilot)
        return drawn(app)
