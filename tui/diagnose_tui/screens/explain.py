"""The catalogue inside the app: what a code means, and which codes a pasted error text points to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from diagnose.catalogue import HEADINGS, Page, codes, page
from diagnose.catalogue.explain import candidates, find, is_code_like, near, plain
from diagnose.display import display
from diagnose.records import record
from diagnose.step import TITLES
from diagnose_tui.flow import Block, Flow
from diagnose_tui.text import line

__all__ = ["ExplainScreen"]

_FACTS = (("Severity", "severity"), ("Side", "side"), ("Who acts", "actor"), ("Confidence", "confidence"))
_CODE = re.compile(r"\b[A-Z]{2,5}[0-9]{3}\b")
_ITEM = re.compile(r"\s*([-*]|\d+\.)\s+")
_INLINE_CODE = re.compile(r"`([^`]+)`")
_EMPTY = Block(text=Content(""))
_NO_PROOF = "An error text alone decides nothing: a run sends the contrast that tells these apart."
_NOTHING = "No finding of the catalogue has this code, this name or these words."
_LONGEST = 4000
"""Characters of a pasted text; an error that says nothing in these says nothing in more."""


@record
class _Leaf:
    """What the screen shows: blocks, and the codes that can be followed from there."""

    title: str
    blocks: Sequence[Block]
    links: Sequence[tuple[str, Content]]
    asks: bool = False
    """Whether the links are what it is about."""


class _Asked(Input):
    """A field that takes a text of several lines as one: errors are pasted whole."""

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        self.insert_text_at_cursor(display(" ".join(event.text.split()), limit=_LONGEST))


class ExplainScreen(ModalScreen[None]):
    """A page of the catalogue. Without ``code`` it begins with the field for a code or an error text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("slash", "ask", "Search", show=False),
    ]
    DEFAULT_CSS = """
    ExplainScreen { align: center middle; }
    ExplainScreen > Vertical {
        width: 100%; max-width: 100; height: 100%; max-height: 50;
        background: $surface; border: solid $border; padding: 0 1;
    }
    ExplainScreen Input, ExplainScreen Input:focus { border: none; height: 1; padding: 0; margin-bottom: 1; }
    ExplainScreen VerticalScroll { height: 1fr; scrollbar-gutter: stable; }
    ExplainScreen OptionList, ExplainScreen OptionList:focus {
        height: auto; border: none; padding: 0; background: $surface;
    }
    ExplainScreen .last { dock: bottom; height: 1; color: $text-muted; background: $surface; }
    """

    def __init__(self, code: str = "") -> None:
        super().__init__()
        self._code = code
        self._leaf: _Leaf | None = None
        self._before: list[_Leaf] = []

    def compose(self) -> ComposeResult:
        with Vertical() as frame:
            frame.border_title = "Explain"
            yield _Asked(placeholder="A code, a name, or an error text", max_length=_LONGEST)
            with VerticalScroll():
                yield Flow()
                yield OptionList(markup=False)
            yield Static(
                "Esc back   / search   Tab to the codes below   Enter follows one",
                classes="last",
                markup=False,
            )

    def on_mount(self) -> None:
        if self._code:
            self._look_up(self._code)
        else:
            self.action_ask()

    def action_ask(self) -> None:
        """Put the cursor into the field."""
        asked = self.query_one(_Asked)
        asked.value = ""
        asked.focus()

    def action_back(self) -> None:
        """The page before, or out."""
        if self._before:
            self._show(self._before.pop())
        else:
            self.dismiss(None)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        if message.value.strip():
            self._look_up(message.value)

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self._look_up(str(message.option_id))

    @work(thread=True, exclusive=True)
    def _look_up(self, text: str) -> None:
        # Pages are files; the first search reads all of them.
        self.app.call_from_thread(self._follow, _leaf_for(text))

    def _follow(self, leaf: _Leaf) -> None:
        if not self.is_attached:
            return
        if self._leaf is not None:
            self._before.append(self._leaf)
        self._show(leaf)

    def _show(self, leaf: _Leaf) -> None:
        self._leaf = leaf
        self.query_one(Vertical).border_title = leaf.title
        self.query_one(Flow).show(leaf.blocks)
        links = self.query_one(OptionList)
        links.clear_options()
        links.add_options([Option(shown, id=code) for code, shown in leaf.links])
        links.display = bool(leaf.links)
        links.highlighted = 0 if leaf.links else None
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_home(animate=False)
        (links if leaf.asks else scroll).focus(scroll_visible=False)


def _leaf_for(text: str) -> _Leaf:
    found = find(text)
    if found is not None:
        return _Leaf(
            title=f"{found.code} {found.name}", blocks=list(_page_blocks(found)), links=_links(found)
        )
    fitting = () if is_code_like(text) else candidates(text, steps=tuple(TITLES))
    if fitting:
        return _Leaf(
            title="What may be behind it",
            blocks=[_asked(text), _EMPTY, Block(text=Content(_NO_PROOF)), _EMPTY],
            links=[(one.page.code, _likely(one.page)) for one in fitting],
            asks=True,
        )
    close = near(text)
    meant = (
        "Did you mean one of these?" if close else "A run of the connector itself looks instead of guessing."
    )
    return _Leaf(
        title="Nothing found",
        blocks=[_asked(text), _EMPTY, Block(text=Content(f"{_NOTHING} {meant}")), _EMPTY],
        links=[(code, _likely(page(code))) for code in close],
        asks=bool(close),
    )


def _asked(text: str) -> Block:
    return Block(label="Asked", text=line(display(text.strip(), limit=200)))


def _likely(shown: Page) -> Content:
    return Content.assemble(Content.styled(shown.code, "bold"), f"  {plain(shown.summary)}")


def _links(shown: Page) -> list[tuple[str, Content]]:
    """The codes that the page names, those that look like it first."""
    named = (*shown.look_alikes, *_CODE.findall(shown.body))
    known = frozenset(codes())
    others = [code for code in dict.fromkeys(named) if code in known and code != shown.code]
    return [(code, _link(page(code))) for code in others]


def _link(shown: Page) -> Content:
    place = Content.styled(_place(shown.step), "$text-muted")
    return Content.assemble(Content.styled(shown.code, "bold"), f"  {shown.name}  ", place)


def _place(step_id: str) -> str:
    if step_id not in TITLES:
        return {"config": "before the run", "any": "any step"}.get(step_id, step_id)
    number, title = TITLES[step_id]
    return f"step {number} {title}"


def _page_blocks(shown: Page) -> Iterator[Block]:
    yield Block(text=Content.styled(plain(shown.summary), "bold"))
    yield _EMPTY
    yield Block(label="Step", text=Content(_place(shown.step).removeprefix("step ")))
    for label, field in _FACTS:
        yield Block(label=label, text=Content(getattr(shown, field).replace("_", " ")))
    yield Block(label="Rule", text=Content(shown.rule))
    if shown.spec:
        yield Block(label="Read", text=Content(shown.spec))
    if shown.scenarios:
        yield Block(label="Try it", text=Content(f"diagnose demo {shown.scenarios[0]}"))
    for heading in HEADINGS:
        yield _EMPTY
        yield Block(text=Content.styled(heading, "bold $text-accent"))
        yield from _markdown(shown.section(heading))


def _markdown(text: str) -> Iterator[Block]:
    """Our own Markdown as blocks: paragraphs and list items wrapped, code as it is."""
    fenced = False
    held: list[str] = []
    for row in text.split("\n"):
        if row.startswith("```") or (not fenced and (not row.strip() or _ITEM.match(row))):
            yield from _paragraph(held)
            held = []
        if row.startswith("```"):
            fenced = not fenced
        elif fenced:
            yield Block(text=Content(row), wraps=False, indent=4)
        elif not row.strip():
            yield _EMPTY
        else:
            held.append(row)
    yield from _paragraph(held)


def _paragraph(rows: Sequence[str]) -> Iterator[Block]:
    if not rows:
        return
    item = _ITEM.match(rows[0])
    joined = " ".join([rows[0].rstrip(), *(row.strip() for row in rows[1:])])
    yield Block(text=_inline(joined), hang=len(item.group()) if item else 0)


def _inline(text: str) -> Content:
    pieces = _INLINE_CODE.split(text)
    return Content.assemble(
        *(Content.styled(piece, "$text-accent") if odd % 2 else piece for odd, piece in enumerate(pieces))
    )
