"""Pictures of the app as SVG: small enough to be kept, and read as what somebody sees in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from diagnose_tui.app import DiagnoseApp
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

__all__ = ["drawn", "seen", "settled"]

_SVG = "{http://www.w3.org/2000/svg}"
_COLUMN, _ROW = 12.2, 24.4
"""The size of a cell, in the units of Rich's SVG."""
_SHORT_WORK = frozenset({"default", "finding", "warming"})
"""The groups of workers that end by themselves: not those that wait for the answer of a screen."""
_NEEDLESS = (
    (r"\s*@font-face \{.*?\}", ""),  # a picture asks nobody for a font
    (r'<clipPath id="[\w-]+-line-\d+">.*?</clipPath>\s*', ""),
    (r' clip-path="url\(#[\w-]+-line-\d+\)"', ""),
    (r"terminal-\d+-", "t-"),
)


async def settled(pilot: Pilot[int]) -> None:
    """Wait until nothing works in the background and the picture no longer changes."""
    app = pilot.app
    assert isinstance(app, DiagnoseApp)
    for field in (*app.screen.query(Input), *app.screen.query(TextArea)):
        field.cursor_blink = False
    for worker in [one for one in app.workers if one.group in _SHORT_WORK]:
        await worker.wait()
    while not app.main.settled:
        await pilot.pause()
    before = ""
    while before != (before := app.export_screenshot()):
        await pilot.pause()


def drawn(app: App[Any]) -> str:
    """What the app shows now."""
    svg = app.export_screenshot(title="diagnose tui", simplify=True)
    for pattern, instead in _NEEDLESS:
        svg = re.sub(pattern, instead, svg, flags=re.DOTALL)
    return svg


def seen(svg: str) -> list[str]:
    """Every piece of text with its place and style, and every background, row by row."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own text
    styles = dict(re.findall(r"\.(t-r\d+) \{ (.*?) \}", svg))
    pieces = [
        *((_place(one), _text(one, styles)) for one in root.iter(f"{_SVG}text") if "x" in one.attrib),
        *(
            (_place(one), _background(one))
            for one in root.iter(f"{_SVG}rect")
            if "shape-rendering" in one.attrib
        ),
    ]
    return [f"{row:>2}:{column:<3} {what}" for (row, column), what in sorted(pieces)]


def _place(element: ElementTree.Element) -> tuple[int, int]:
    return int(float(element.get("y", 0)) / _ROW), round(float(element.get("x", 0)) / _COLUMN)


def _text(element: ElementTree.Element, styles: Mapping[str, str]) -> str:
    return f"{element.text!r} {styles.get(element.get('class', ''), '')}"


def _background(element: ElementTree.Element) -> str:
    return f"{round(float(element.get('width', 0)) / _COLUMN)} cells of {element.get('fill')}"
