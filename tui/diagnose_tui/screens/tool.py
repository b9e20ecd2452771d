"""Which tool step 10 calls: read-only ones first, those that the policy keeps out greyed, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from diagnose.connector import ToolPolicy
from diagnose.options import Options
from diagnose.records import record
from diagnose_tui.flow import Block, Flow
from diagnose_tui.schema_form import json_text
from diagnose_tui.screens.arguments import ArgumentsScreen
from diagnose_tui.screens.confirm import ConfirmScreen
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.text import line, plain
from diagnose_tui.widgets.fields import Line

__all__ = ["ToolChoice", "ToolScreen", "confirmation"]

_MOST_ROWS = 200
_LONGEST_NAME = 128
_LONGEST_DESCRIPTION = 300
_BY_ITSELF = "by-itself"


@record
class ToolChoice:
    """The tool to call and its arguments; ``name`` None: step 10 chooses by itself. ``tool`` is its entry."""

    name: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tool: Mapping[str, Any] = field(default_factory=dict)


def confirmation(choice: ToolChoice, policy: ToolPolicy) -> ConfirmScreen | None:
    """The question before a call that may change something, or that the connector wants confirmed."""
    from diagnose_checks.safe_tool import in_doubt

    if choice.name is None:
        return None
    why = in_doubt({**choice.tool, "name": choice.name})
    if choice.name in policy.requires_confirmation:
        why = "the connector's tool policy asks for a confirmation"
    if why is None:
        return None
    rows = (
        ("tool", choice.name),
        ("why asked", why),
        ("annotations", json_text(choice.tool.get("annotations", {}))),
        ("arguments", json_text(choice.arguments, indent=2)),
    )
    return ConfirmScreen("Step 10 would call this tool on the real server.", rows, "Call it?", "Call it")


class ToolScreen(Sheet[ToolChoice | None]):
    """``tools`` are the entries of ``tools/list``; ``refused`` is why step 10 passed some of them over."""

    HEADING = "Tool for step 10"
    KEYS = "type to filter   Up and Down choose   Enter its arguments   Esc leave"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move('cursor_down')", "Down", show=False),
        Binding("up", "move('cursor_up')", "Up", show=False),
        Binding("pagedown", "move('page_down')", "Page down", show=False),
        Binding("pageup", "move('page_up')", "Page up", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]
    DEFAULT_CSS = """
    ToolScreen OptionList { height: auto; max-height: 50vh; border: none; padding: 0; margin: 1 0; }
    ToolScreen #about { height: 4; }
    ToolScreen .more { color: $text-muted; height: 1; }
    """

    def __init__(
        self,
        tools: Sequence[Any],
        policy: ToolPolicy,
        options: Options,
        refused: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._policy = policy
        self._options = options
        self._refused = refused or {}
        named = [tool for tool in tools if isinstance(tool, Mapping) and isinstance(tool.get("name"), str)]
        self._tools = sorted(named, key=lambda tool: (not policy.allows(tool["name"]), not _read_only(tool)))

    def body(self) -> Iterable[Widget]:
        yield Line(placeholder=f"filter {len(self._tools)} tools")
        rows = OptionList(compact=True, markup=False)
        rows.can_focus = False
        yield rows
        yield Static("", classes="more", markup=False)

    def foot(self) -> Iterable[Widget]:
        yield Flow(id="about")

    def on_mount(self) -> None:
        self._fill("")

    def _fill(self, word: str) -> None:
        word = word.strip().lower()
        found = [index for index, tool in enumerate(self._tools) if word in _words(tool)]
        rows = [self._row(index) for index in found[:_MOST_ROWS]]
        if self._options.tool is not None and not word:
            rows.insert(0, Option(Content("Let step 10 choose by itself"), id=_BY_ITSELF))
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(rows)
        wanted = self._options.tool if not word else None
        current = [at for at, index in enumerate(found[:_MOST_ROWS]) if self._tools[index]["name"] == wanted]
        enabled = next((at for at, row in enumerate(rows) if not row.disabled), None)
        options.highlighted = current[0] + 1 if current else enabled
        left = len(found) - _MOST_ROWS
        said = f"{left} more: type to filter" if left > 0 else "" if found else "no tool has this word"
        self.query_one(".more", Static).update(line(said))

    def _row(self, index: int) -> Option:
        tool = self._tools[index]
        offered = self._policy.allows(tool["name"])
        hint = "read-only" if _read_only(tool) else "may change something"
        if not offered:
            hint = "the connector's tool policy does not offer it"
        name = line(tool["name"][:_LONGEST_NAME], "bold" if offered else "")
        text = Content.assemble(name, "  ", line(hint, "$text-muted"))
        return Option(text, id=str(index), disabled=not offered)

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(OptionList.OptionHighlighted)
    def _about(self, event: OptionList.OptionHighlighted) -> None:
        blocks = []
        if event.option_id not in (None, _BY_ITSELF):
            tool = self._tools[int(str(event.option_id))]
            description = tool.get("description")
            if isinstance(description, str):
                blocks.append(Block(label="Says", text=plain(description[:_LONGEST_DESCRIPTION])))
            reason = self._refused.get(tool["name"][:_LONGEST_NAME])
            if reason is not None:
                blocks.insert(0, Block(label="Not taken", text=line(f"by step 10 itself: {reason}")))
        self.query_one(Flow).show(blocks)

    @on(Input.Submitted)
    def _choose(self) -> None:
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self._chosen(options.get_option_at_index(options.highlighted))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self._chosen(event.option)

    def _chosen(self, option: Option) -> None:
        if option.id == _BY_ITSELF:
            self.dismiss(ToolChoice())
            return
        tool = self._tools[int(str(option.id))]
        same = tool["name"] == self._options.tool
        screen = ArgumentsScreen(tool, dict(self._options.arguments) if same else None)

        def answered(arguments: Mapping[str, Any] | None) -> None:
            if arguments is not None:
                self.dismiss(ToolChoice(name=tool["name"], arguments=arguments, tool=tool))

        self.app.push_screen(screen, answered)

    def action_move(self, how: str) -> None:
        getattr(self.query_one(OptionList), f"action_{how}")()

    def action_leave(self) -> None:
        self.dismiss(None)


def _read_only(tool: Mapping[str, Any]) -> bool:
    hints = tool.get("annotations")
    return isinstance(hints, Mapping) and hints.get("readOnlyHint") is True


def _words(tool: Mapping[str, Any]) -> str:
    title = tool.get("title")
    return f"{tool['name'][:_LONGEST_NAME]} {title[:_LONGEST_NAME] if isinstance(title, str) else ''}".lower()
