"""Text as the screen shows it: content without markup, in which no character of a server can act.

Every string that reaches a widget passes here. Textual's ``Static``, toasts and options would read square
brackets as markup; :class:`~textual.content.Content` does not.
"""

from __future__ import annotations

from textual.content import Content

from diagnose.display import display

__all__ = ["line", "plain"]


def plain(text: object, style: str = "") -> Content:
    """``text`` with its line breaks; every other control and invisible character is written out."""
    return Content.styled(display(str(text), layout=True), style)


def line(text: object, style: str = "") -> Content:
    """``text`` in one line: a line break is shown, not made."""
    return Content.styled(display(str(text)), style)
