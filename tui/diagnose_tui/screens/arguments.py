"""The arguments of one tool: a form from its schema, or the whole object as JSON."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from diagnose.errors import UsageError
from diagnose_tui.argument_check import Judgement, judged
from diagnose_tui.flow import Block, Flow
from diagnose_tui.schema_form import (
    ABSENT,
    Form,
    FormField,
    collected,
    form_of,
    json_object,
    json_text,
    parsed,
    typed_text,
)
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.text import line, plain
from diagnose_tui.widgets.fields import Field, Line, Lines, refusal

__all__ = ["ArgumentsScreen"]

_LONGEST_DESCRIPTION = 1200


class ArgumentsScreen(Sheet["Mapping[str, Any] | None"]):
    """Gives the arguments; None where somebody went back. ``given`` None: begin with what the schema has."""

    HEADING = "Arguments"
    KEYS = "^s use these arguments   ^t form or JSON   Tab next field   Esc back"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "use", "Use", show=False),
        Binding("ctrl+t", "turn", "Form or JSON", show=False),
        Binding("escape", "leave", "Back", show=False),
    ]
    DEFAULT_CSS = """
    ArgumentsScreen .fields { height: auto; margin: 1 0; }
    ArgumentsScreen .told { color: $text-warning; height: auto; }
    """

    def __init__(self, tool: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._tool = tool
        self._schema = tool.get("inputSchema")
        self._form = form_of(self._schema, given)
        self._as_json = not self._form.fields
        self._fields: list[tuple[FormField, Field]] = []
        self._accepted: Mapping[str, Any] | None = None
        """Arguments that do not fit, and of which that was said."""

    def body(self) -> Iterable[Widget]:
        description = self._tool.get("description")
        blocks = [Block(label="Tool", text=line(self._tool.get("name", ""), "bold"))]
        if isinstance(description, str) and description:
            blocks.append(Block(label="Says", text=plain(description[:_LONGEST_DESCRIPTION])))
        yield Flow(blocks)
        yield Vertical(*self._widgets(), classes="fields")

    def foot(self) -> Iterable[Widget]:
        yield Static("", classes="told", markup=False)
        yield Horizontal(
            Button(Content("Use"), id="use", variant="primary", compact=True),
            Button(Content("Form or JSON"), id="turn", compact=True),
            classes="buttons",
        )

    def on_mount(self) -> None:
        self._say(self._form.note)

    def _widgets(self) -> list[Widget]:
        self._fields = []
        if self._as_json:
            text = json_text(collected(self._form, _values(self._form)), indent=2)
            whole = FormField(path=(), kind="json", required=True)
            self._fields = [(whole, Field("JSON", Lines(text), hint="The whole object."))]
        else:
            self._fields = [(one, _field(one)) for one in self._form.fields]
        return [field for _, field in self._fields]

    # What was typed

    def _collected(self) -> dict[str, Any] | None:
        """The arguments as typed; None, with a word beside each field, where one cannot be used."""
        values: dict[str, Any] = {}
        usable = True
        for one, field in self._fields:
            field.refuse(None)
            try:
                typed = _typed(field)
                values[one.pointer] = json_object(typed or "{}") if self._as_json else parsed(one, typed)
            except UsageError as problem:
                field.refuse(refusal(problem))
                usable = False
        if not usable:
            return None
        return values[""] if self._as_json else collected(self._form, values)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "use":
            self.action_use()
        else:
            self.run_worker(self.action_turn(), exclusive=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.focus_next()

    @work(exclusive=True)
    async def action_use(self) -> None:
        arguments = self._collected()
        if arguments is None:
            self._say("A field cannot be used: the reason stands below it.")
            return
        if self._accepted is not None and json_text(self._accepted) == json_text(arguments):
            self.dismiss(arguments)
            return
        self._say("Comparing with the schema.")
        found = await judged(self._schema, arguments, os.environ)
        if found.problems:
            self._accepted = arguments
            self._tell(found)
        else:
            self.dismiss(arguments)

    def _tell(self, found: Judgement) -> None:
        left = []
        for pointer, said in found.problems.items():
            inside = [
                (len(one.path), field)
                for one, field in self._fields
                if pointer == one.pointer or pointer.startswith(f"{one.pointer}/")
            ]
            if inside and not self._as_json:
                max(inside, key=lambda pair: pair[0])[1].refuse(f"{pointer} {said}")
            else:
                left.append(f"{pointer or '/'} {said}.")
        left.append("They do not fit the schema; ^s again uses them as they are.")
        self._say(" ".join(left))

    async def action_turn(self) -> None:
        arguments = self._collected()
        if arguments is None:
            self._say("A field cannot be used: the reason stands below it.")
            return
        self._form = form_of(self._schema, arguments)
        self._as_json = not self._as_json or not self._form.fields
        fields = self.query_one(".fields", Vertical)
        async with self.batch():
            await fields.remove_children()
            await fields.mount(*self._widgets())
        self._fields[0][1].query(".control *").first().focus()
        self._say(self._form.note)

    def action_leave(self) -> None:
        self.dismiss(None)

    def _say(self, sentence: str) -> None:
        self.query_one(".told", Static).update(line(sentence))


def _values(form: Form) -> dict[str, Any]:
    return {one.pointer: one.value for one in form.fields}


def _field(one: FormField) -> Field:
    return Field(one.label, _control(one), hint=one.description)


def _control(one: FormField) -> Widget:
    if one.kind == "choice":
        named = [(line(json_text(choice)), str(number)) for number, choice in enumerate(one.choices)]
        chosen = [
            number for number, choice in enumerate(one.choices) if json_text(choice) == json_text(one.value)
        ]
        value = str(chosen[0]) if chosen and one.value is not ABSENT else Select.NULL
        return Select(named, prompt="required" if one.required else "left out", value=value, compact=True)
    wanted = f"{one.wanted}, required" if one.required else f"{one.wanted}; left out where empty"
    made = Lines if one.kind in ("json", "list") else Line
    return made(typed_text(one), placeholder=wanted)


def _typed(field: Field) -> str:
    control = field.control
    if isinstance(control, Select):
        return "" if control.value is Select.NULL else str(control.value)
    if isinstance(control, Lines):
        return control.text
    assert isinstance(control, Line)
    return control.value
