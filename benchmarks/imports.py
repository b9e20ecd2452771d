"""What a command imports: a help text must not load what only a run needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from diagnose_lab import Lab
from figures import Figure
from processes import cost_of

__all__ = ["figures"]

_HEAVY = ("pydantic", "httpx2", "rich", "textual", "mcp")
_PRINTED = (
    "import sys\n"
    "from diagnose.cli import main\n"
    "main(sys.argv[1:])\n"
    "print('IMPORTED', *sorted({name.partition('.')[0] for name in sys.modules}))\n"
)


def figures(rounds: int) -> Iterator[Figure]:
    """How many of the heavy packages each command imports, and which."""
    for words in (["--help"], ["explain", "TLS003"]):
        yield _figure(words, ("pydantic", "httpx2", "rich", "mcp"))
    with Lab() as lab, lab.start("healthy-modern") as running:
        yield _figure(["run", running.url, "--json"], ("rich", "textual", "mcp"), shown="run URL --json")


def _figure(words: list[str], forbidden: tuple[str, ...], shown: str | None = None) -> Figure:
    printed = cost_of([sys.executable, "-c", _PRINTED, *words]).stdout
    loaded = set(printed.rpartition("IMPORTED ")[2].split())
    found = [name for name in _HEAVY if name in loaded]
    return Figure(
        what=f"heavy imports, diagnose {shown or ' '.join(words)}",
        value=len([name for name in found if name in forbidden]),
        unit="",
        budget=0,
        detail=f"of {', '.join(forbidden)}; {len(loaded)} packages and modules in all"
        + (f", among them {', '.join(found)}" if found else ""),
    )
