"""Names with values, one below the other: headers, or the variables of a process. The last row is empty."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from diagnose_tui.amending import Pair
from diagnose_tui.text import line
from diagnose_tui.typed_values import is_reference
from diagnose_tui.widgets.fields import Line

__all__ = ["Pairs", "SecretLine"]


class SecretLine(Line):
    """A value that may be a secret: behind dots, unless it is a reference or was in the open before."""

    def __init__(self, value: str = "", *, placeholder: str = "") -> None:
        self._open = value  # before the value is set, which is watched
        super().__init__(value, placeholder=placeholder)

    def watch_value(self, value: str) -> None:
        self.password = bool(value) and value != self._open and not is_reference(value)

    def validate_value(self, value: str) -> str:
        # Its value is never shown but for a reference, in which no character acts.
        return value


_WANTED = "value or ${env:NAME}"


class _Row(Vertical):
    DEFAULT_CSS = """
    _Row { height: auto; }
    _Row > Horizontal { height: 1; }
    _Row .name { width: 2fr; margin-right: 1; }
    _Row .value { width: 3fr; }
    _Row .refusal { color: $text-error; height: auto; }
    _Row .refusal.-empty { display: none; }
    """

    def __init__(self, pair: Pair, noun: str) -> None:
        super().__init__()
        self._pair = pair
        self.name_line = Line(pair.name, placeholder=f"another {noun}", classes="name")
        hidden = pair.old is not None and not pair.shown
        self.value_line = SecretLine(pair.shown, placeholder="unchanged" if hidden else _WANTED)
        self.value_line.add_class("value")

    def compose(self) -> ComposeResult:
        yield Horizontal(self.name_line, self.value_line)
        yield Static("", classes="refusal -empty", markup=False)

    @property
    def pair(self) -> Pair:
        return Pair(
            name=self.name_line.value,
            typed=self.value_line.value,
            old=self._pair.old,
            shown=self._pair.shown,
            left=self._pair.left,
        )

    def leave_behind(self) -> None:
        """Forget the old value: it belongs to another origin."""
        if self.pair.unchanged:
            self.value_line.value = ""
            self.value_line.placeholder = "stays behind; type a new one"
            self._pair = Pair(name=self._pair.name, left=True)

    def refuse(self, sentence: str | None) -> None:
        static = self.query_one(".refusal", Static)
        static.update(line(sentence or ""))
        static.set_class(not sentence, "-empty")


class Pairs(Vertical):
    """The rows; ``noun`` is what one of them is."""

    DEFAULT_CSS = "Pairs { height: auto; }"

    def __init__(self, pairs: Sequence[Pair], noun: str) -> None:
        super().__init__()
        self._noun = noun
        self._rows = [_Row(pair, noun) for pair in (*pairs, Pair(name=""))]

    def compose(self) -> ComposeResult:
        yield from self._rows

    @property
    def pairs(self) -> tuple[Pair, ...]:
        return tuple(row.pair for row in self._rows)

    def refuse(self, number: int, sentence: str | None) -> None:
        """Say why the row ``number`` cannot be used."""
        self._rows[number].refuse(sentence)

    def leave_behind(self, names: Sequence[str]) -> None:
        """Forget the old values of ``names``."""
        for row in self._rows:
            if row.pair.old is not None and row.pair.name in names:
                row.leave_behind()

    @on(Input.Changed, ".name")
    def _grow(self) -> None:
        if self._rows and self._rows[-1].name_line.value:
            self._rows.append(_Row(Pair(name=""), self._noun))
            self.mount(self._rows[-1])
