"""What somebody types into: lines in which no pasted character acts, and fields that say why not."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea
from textual.widgets.text_area import Edit, EditResult

from diagnose.display import display
from diagnose.errors import UsageError
from diagnose_tui.text import line

__all__ = ["Field", "Line", "Lines", "refusal"]


def refusal(problem: UsageError) -> str:
    """What is wrong and what to type instead, as one sentence."""
    return f"{problem.what}: {problem.hint} ({problem.code})"


class Line(Input):
    """One line of text. A control or invisible character is written out, as it would be anywhere else."""

    DEFAULT_CSS = "Line.-textual-compact { background: $panel; }"

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        password: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(
            value if password else display(value),
            placeholder=display(placeholder),
            password=password,
            id=id,
            classes=classes,
            compact=True,
            select_on_focus=False,
        )

    def validate_value(self, value: str) -> str:
        # Behind dots nothing acts, and a secret must stay what it is.
        return value if self.password else str(display(value))


class Lines(TextArea):
    """Several lines of text, as harmless as one."""

    DEFAULT_CSS = """
    Lines.-textual-compact { height: auto; min-height: 3; max-height: 12; padding: 0; background: $panel; }
    """

    def __init__(self, text: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(
            display(text, layout=True),
            placeholder=line(placeholder),
            id=id,
            compact=True,
            soft_wrap=True,
            tab_behavior="focus",
            highlight_cursor_line=False,
        )

    def edit(self, edit: Edit) -> EditResult:
        edit.text = display(edit.text, layout=True)
        return super().edit(edit)


class Field(Vertical):
    """A label in the margin, what is typed, a hint, and why it cannot be used."""

    DEFAULT_CSS = """
    Field { height: auto; }
    Field > Horizontal { height: auto; }
    Field .label { width: 14; height: auto; text-style: bold; }
    Field .control { width: 1fr; height: auto; }
    Field .hint { margin-left: 14; color: $text-muted; }
    Field .refusal { margin-left: 14; color: $text-error; }
    Field .hint.-empty, Field .refusal.-empty { display: none; }
    """

    def __init__(self, label: str, *controls: Widget, hint: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._label = label
        self._controls = controls
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(line(self._label), classes="label", markup=False)
            with Vertical(classes="control"):
                yield from self._controls
        yield Static(line(self._hint), classes="hint" if self._hint else "hint -empty", markup=False)
        yield Static("", classes="refusal -empty", markup=False)

    @property
    def control(self) -> Widget:
        """What is typed into."""
        return self._controls[0]

    def hint(self, sentence: str) -> None:
        """Say what belongs here, or what was understood."""
        self._write(".hint", sentence)

    def refuse(self, sentence: str | None) -> None:
        """Say why it cannot be used, or that it can."""
        self._write(".refusal", sentence or "")

    def _write(self, place: str, sentence: str) -> None:
        static = self.query_one(place, Static)
        static.update(line(sentence))
        static.set_class(not sentence, "-empty")
