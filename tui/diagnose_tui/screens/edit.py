"""The options of a connector for the next runs. Nothing of it reaches the disk unless somebody saves it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from diagnose.connector import Connector, SampleCall
from diagnose.display import display
from diagnose.errors import UsageError
from diagnose.options import Options
from diagnose.wire.threads import in_daemon_thread
from diagnose_tui.amending import (
    Draft,
    Refused,
    amended,
    left_behind,
    moves,
    pairs_of,
    shown_proxy,
)
from diagnose_tui.command_line import numbered, words_of
from diagnose_tui.entries import Edited
from diagnose_tui.flow import Block, Flow
from diagnose_tui.schema_form import json_object, json_text
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.text import line
from diagnose_tui.widgets.credential import CredentialFields
from diagnose_tui.widgets.fields import Field, Line, Lines, refusal
from diagnose_tui.widgets.pairs import Pairs
from diagnose_tui.widgets.reach import choice, command_fields, endpoint_fields

__all__ = ["EditScreen"]

_ERAS = ("auto", "legacy", "modern")
_SAMPLES = ("auto", "never")


class EditScreen(Sheet[Edited | None]):
    """``tools`` are the entries of the last ``tools/list``; ``environ`` says which variables there are."""

    HEADING = "Options for the next runs"
    KEYS = "^s use   ^o save as a file   Tab next field   Esc leave"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "use", "Use", show=False),
        Binding("ctrl+o", "save", "Save as a file", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]
    DEFAULT_CSS = """
    EditScreen .part { text-style: bold; color: $text-accent; margin-top: 1; }
    EditScreen .told { color: $text-warning; height: auto; }
    """

    def __init__(
        self,
        connector: Connector,
        options: Options,
        tools: Sequence[Any] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._connector = connector
        self._options = options
        self._tools = tools
        self._environ = os.environ if environ is None else environ
        self._fields: dict[str, Field] = {}
        self._credential: CredentialFields
        self._pairs: Pairs
        self._before: Draft | None = None
        self._warned = False
        self._told_of_origin = False

    # What there is

    def body(self) -> Iterable[Widget]:
        connector, stdio = self._connector, self._connector.stdio
        self._credential = CredentialFields(connector.credential)
        values, noun = (connector.headers, "header") if stdio is None else (stdio.env, "variable")
        self._pairs = Pairs(pairs_of(values), noun)
        self._fields = endpoint_fields(connector) if stdio is None else command_fields(stdio)
        self._fields["era"] = Field("Era", choice(_ERAS, connector.era))
        self._fields["pairs"] = Field("Headers" if stdio is None else "Environment", self._pairs)
        if stdio is None:
            self._fields["credential"] = Field("Credential", self._credential)
        self._fields |= self._sample_fields() | self._limit_fields()
        first = {"sample": "Sample call (step 10)", "timeout": "Run"}
        for name, field in self._fields.items():
            if name in first:
                yield Static(first[name], classes="part", markup=False)
            yield field

    def _sample_fields(self) -> dict[str, Field]:
        options, own = self._options, self._connector.sample
        placeholder = f"the connector's own: {own.tool}" if own is not None else "step 10 chooses a safe one"
        pick = Button(Content("Pick a tool"), id="pick", compact=True, disabled=not self._tools)
        arguments = json_text(dict(options.arguments), indent=2) if options.arguments else ""
        return {
            "sample": Field("Call", choice(_SAMPLES, options.sample)),
            "tool": Field("Tool", Line(options.tool or "", placeholder=placeholder), pick),
            "arguments": Field(
                "Arguments", Lines(arguments, placeholder="one JSON object; none where empty")
            ),
        }

    def _limit_fields(self) -> dict[str, Field]:
        fields = {"timeout": Field("Timeout (s)", Line(f"{self._options.timeout:g}"))}
        if self._connector.stdio is None:
            bundle = str(self._connector.network.ca_bundle or "")
            proxy = shown_proxy(self._connector)
            fields["proxy"] = Field(
                "Proxy",
                Line(proxy or "", placeholder="unchanged; it holds a password"),
                hint="http://HOST:PORT, direct, or environment (what its variables say).",
            )
            fields["ca_bundle"] = Field("CA bundle", Line(bundle, placeholder="the roots of the runtime"))
        return fields

    def foot(self) -> Iterable[Widget]:
        yield Static("", classes="told", markup=False)
        yield Horizontal(
            Button(Content("Use"), id="use", variant="primary", compact=True),
            Button(Content("Save as file"), id="save", compact=True),
            classes="buttons",
        )

    def on_mount(self) -> None:
        self._before = self._draft()
        self._show_vector()

    # What was typed

    def _draft(self) -> Draft:
        kind, proof = self._credential.typed
        values = {name: _typed(field) for name, field in self._fields.items()}
        known = {name: value for name, value in values.items() if value is not None}
        return Draft(pairs=self._pairs.pairs, kind=kind, proof=proof, **known)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        if event.input is getattr(self._fields.get("url"), "control", None):
            self._say_origin(event.value)
        elif event.input is getattr(self._fields.get("command"), "control", None):
            self._show_vector()

    def _say_origin(self, url: str) -> None:
        stays = left_behind(self._connector)
        moved = moves(self._connector, url) and stays
        said = f"Another origin: {', '.join(stays)} of {self._connector.origin} will not go there."
        self._fields["url"].hint(said if moved else "")

    def _show_vector(self) -> None:
        field = self._fields.get("command")
        if field is None:
            return
        try:
            rows = numbered(words_of(str(_typed(field))))
        except UsageError:
            rows = ()
        field.query_one(Flow).show([Block(text=line(row)) for row in rows])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.focus_next()

    # What is done with it

    async def _edited(self) -> Edited | None:
        """What was typed, checked; None, with a word beside each field, where something cannot be used."""
        draft = self._draft()
        for field in self._fields.values():
            field.refuse(None)
        for number in range(len(draft.pairs)):
            self._pairs.refuse(number, None)
        try:
            return await in_daemon_thread(
                lambda: amended(self._connector, self._options, draft, environ=self._environ)
            )
        except Refused as refused:
            self._refuse(refused.problems)
            return None

    def _refuse(self, problems: Mapping[str, UsageError]) -> None:
        for place, problem in problems.items():
            if place in self._fields:
                self._fields[place].refuse(refusal(problem))
            else:
                self._pairs.refuse(int(place.removeprefix("pair")), refusal(problem))
        first = next((name for name in self._fields if name in problems), "pairs")
        self._fields[first].scroll_visible(animate=False)
        count = len(problems)
        self._say(f"{count} of the fields cannot be used; why stands below {'it' if count == 1 else 'each'}.")

    def _stays_behind(self) -> bool:
        """Whether something of the old origin was left behind just now: then that is said first."""
        stays = left_behind(self._connector)
        url = self._fields.get("url")
        if url is None or self._told_of_origin or not stays or not moves(self._connector, str(_typed(url))):
            return False
        self._told_of_origin = True
        self._pairs.leave_behind(self._connector.secret_headers)
        self._credential.leave_behind()
        self._say(f"{', '.join(stays)} stay with {self._connector.origin}: type new ones, or ^s again.")
        return True

    @work(exclusive=True, group="use")
    async def action_use(self) -> None:
        if self._stays_behind():
            return
        edited = await self._edited()
        if edited is not None:
            self.dismiss(edited)

    @work(exclusive=True, group="use")
    async def action_save(self) -> None:
        from diagnose.connector.file_writing import connector_document
        from diagnose_tui.screens.save import SaveScreen

        if self._stays_behind():
            return
        edited = await self._edited()
        if edited is None:
            return
        tool, arguments = edited.options.tool, dict(edited.options.arguments)
        sample = SampleCall(tool=tool, arguments=arguments) if tool is not None else None
        try:
            written = connector_document(edited.connector, known=self._connector, sample=sample)
        except UsageError as problem:
            self._say(refusal(problem))
            return
        path = await self.app.push_screen_wait(SaveScreen(written, _file_name(edited.connector.name)))
        if path is not None:
            self._say(f"Written to {path}.")

    @work(exclusive=True, group="use")
    async def _pick(self) -> None:
        from dataclasses import replace

        from diagnose_tui.screens.tool import ToolScreen

        tool = str(_typed(self._fields["tool"])).strip() or None
        try:
            arguments = json_object(str(_typed(self._fields["arguments"])) or "{}")
        except UsageError:
            arguments = {}
        options = replace(self._options, tool=tool, arguments=arguments)
        choice = await self.app.push_screen_wait(ToolScreen(self._tools, self._connector.tools, options))
        if choice is not None:
            self._write("tool", choice.name or "")
            self._write("arguments", json_text(dict(choice.arguments), indent=2) if choice.arguments else "")

    def _write(self, name: str, text: str) -> None:
        control = self._fields[name].control
        if isinstance(control, Lines):
            control.text = text
        elif isinstance(control, Line):
            control.value = text

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        {"use": self.action_use, "save": self.action_save, "pick": self._pick}[str(event.button.id)]()

    def action_leave(self) -> None:
        if self._warned or self._draft() == self._before:
            self.dismiss(None)
        else:
            self._warned = True
            self._say("Something was changed and is not in use: ^s uses it, Esc again leaves it.")

    def _say(self, sentence: str) -> None:
        self.query_one(".told", Static).update(line(sentence))


def _typed(field: Field) -> str | None:
    control = field.control
    if isinstance(control, Select):
        return str(control.value)
    if isinstance(control, Lines):
        return control.text
    return control.value if isinstance(control, Line) else None


def _file_name(name: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", display(name)[:60]).strip("-.")
    return str(Path(f"{slug or 'connector'}.json"))
