"""Themes: readable, chosen by the environment, and colours as no-color.org has them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from diagnose_tui.glyphs import STATUS_STYLES
from diagnose_tui.themes import DEFAULT, THEMES, check_terminal, dress, first_theme, next_theme
from rich.style import Style
from textual.app import App, ComposeResult
from textual.color import Color
from textual.content import Content
from textual.theme import BUILTIN_THEMES
from textual.widgets import Static

from diagnose.errors import UsageError

STYLES = {style: status for status, style in STATUS_STYLES.items()} | {"": "text"}
GROUNDS = ("background", "surface")


def luminance(color: Color) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [channel / 255 for channel in (color.r, color.g, color.b)]
    red, green, blue = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class Words(App[None]):
    """Every style of a status, and plain text, on both grounds."""

    CSS = "#surface { background: $surface; }"

    def compose(self) -> ComposeResult:
        for ground in GROUNDS:
            yield Static(
                Content(" ").join(Content.styled(STYLES[style], style) for style in STYLES), id=ground
            )


def contrasts(theme: str) -> dict[str, float]:
    """Each word on each ground with its contrast, as it is drawn."""

    async def play() -> dict[str, float]:
        app = Words()
        dress(app, {"DIAGNOSE_THEME": theme})
        async with app.run_test() as pilot:
            await pilot.pause()
            rows = app.screen._compositor.render_strips()[: len(GROUNDS)]
            return {
                f"{part.text} on {ground}": contrast(part.style)
                for ground, row in zip(GROUNDS, rows, strict=True)
                for part in row
                if part.text.strip() and part.style is not None
            }

    return asyncio.run(play())


def contrast(style: Style) -> float:
    assert style.color is not None
    assert style.bgcolor is not None
    above, below = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
    darker, lighter = sorted((luminance(below), luminance(above)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [name for name in THEMES if not BUILTIN_THEMES[name].ansi])
def test_every_status_reads_well_in_every_theme_that_is_offered(theme: str) -> None:
    assert {} == {pair: round(found, 2) for pair, found in contrasts(theme).items() if found < 4.5}


def test_a_theme_is_left_out_because_it_reads_badly() -> None:
    left_out = {name for name in BUILTIN_THEMES if name not in THEMES}
    assert left_out == {name for name in left_out if min(contrasts(name).values()) < 4.5}


def test_themes_go_round() -> None:
    seen = [DEFAULT]
    while (following := next_theme(seen[-1])) != DEFAULT:
        seen.append(following)
    assert sorted(THEMES) == sorted(seen)
    assert THEMES[0] == next_theme("nord")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, DEFAULT),
        ({"DIAGNOSE_THEME": "ansi-light", "TEXTUAL_THEME": "dracula"}, "ansi-light"),
        ({"TEXTUAL_THEME": "my-own, ansi-dark"}, "ansi-dark"),
        ({"TEXTUAL_THEME": "my-own"}, DEFAULT),
        ({"DIAGNOSE_THEME": "nord"}, "nord"),
        ({"DIAGNOSE_THEME": " "}, DEFAULT),
    ],
)
def test_the_environment_chooses(environ: dict[str, str], expected: str) -> None:
    assert expected == first_theme(environ)


def test_a_theme_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError) as refused:
        first_theme({"DIAGNOSE_THEME": "darkness"})
    assert refused.value.code == "CFG006"
    assert "darkness" in str(refused.value)
    assert "ansi-dark" in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "terminals", "word"),
    [({"TERM": "dumb"}, True, "TERM=dumb"), ({"TERM": "xterm"}, False, "needs a terminal")],
)
def test_where_nothing_can_be_drawn_the_command_line_is_named(
    environ: dict[str, str], terminals: bool, word: str
) -> None:
    with pytest.raises(UsageError) as refused:
        check_terminal(environ, terminals=terminals, target="https://mcp.example.com/mcp")
    assert word in str(refused.value)
    assert refused.value.hint.endswith("diagnose run https://mcp.example.com/mcp")


def test_an_ordinary_terminal_is_taken() -> None:
    check_terminal({"TERM": "xterm-256color"}, terminals=True)


PROGRAM = """
import os
from pathlib import Path
from rich.style import Style
from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import Static
from diagnose_tui.themes import dress

class Shown(App[None]):
    def compose(self):
        yield Static(Content.assemble(("word", "$text-error"), ("less", "$text-muted")))
    def on_mount(self):
        self.call_after_refresh(self.look)
    def look(self):
        segments = [one for strip in self.screen._compositor.render_strips() for one in strip]
        for applied in self.get_line_filters():
            segments = applied.apply(segments, self.screen.styles.background)
        word = next(one for one in segments if "word" in one.text)
        red, green, blue = word.style.color.triplet
        Path(os.environ["ANSWER"]).write_text("colour" if len({red, green, blue}) > 1 else "grey")
        self.exit()

app = Shown()
dress(app, os.environ)
app.run(headless=True)
"""


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "colour"), ("", "colour"), ("1", "grey"), ("0", "grey")]
)
def test_an_empty_no_color_asks_for_nothing(value: str | None, expected: str, tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    environ = {name: text for name, text in os.environ.items() if name != "NO_COLOR"} | {
        "ANSWER": str(answer)
    }
    if value is not None:
        environ["NO_COLOR"] = value
    subprocess.run([sys.executable, "-c", PROGRAM], env=environ, check=True, timeout=60)
    assert expected == answer.read_text(encoding="utf-8")
