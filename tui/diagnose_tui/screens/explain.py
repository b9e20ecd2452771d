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
from diagnose.catalogue.explain import Candidate, candidates, find, near, plain
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
_LONGEST = 4000
"""Characters of a pasted text; an error that says nothing in these says nothing in more."""


@record
class _Leaf:
    """What the screen shows: blocks, and the codes that can be followed from there."""

    title: str
    blocks: Sequence[Block]
    links: Sequence[str]


class _Asked(Input):
    """A field that takes a text of several lines as one: errors are pasted whole."""

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        self.insert_text_at_cursor(" ".join(event.text.split())[:_LONGEST])


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
    ExplainScreen Input { border: none; height: 1; padding: 0; margin-bottom: 1; }
    ExplainScreen VerticalScroll { height: 1fr; scrollbar-gutter: stable; }
    ExplainScreen OptionList { height: auto; border: none; padding: 0; background: $surface; }
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
                "Esc back   / search   Tab to the codes below, Enter follows one",
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
        links.add_options([Option(_link(code), id=code) for code in leaf.links])
        links.display = bool(leaf.links)
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_home(animate=False)
        (links if leaf.title == _RESULTS and leaf.links else scroll).focus(scroll_visible=False)


_RESULTS = "What may be behind it"


def _leaf_for(text: str) -> _Leaf:
    found = find(text)
    if found is not None:
        return _Leaf(
            title=f"{found.code} {found.name}", blocks=list(_page_blocks(found)), links=_links(found)
        )
    fitting = candidates(text, steps=tuple(TITLES))
    if fitting:
        return _Leaf(
            title=_RESULTS,
            blocks=list(_candidate_blocks(text, fitting)),
            links=[candidate.page.code for candidate in fitting],
        )
    close = near(text)
    sentence = "No finding of the catalogue has this code, this name or these words."
    meant = (
        " Did you mean one of these?"
        if close
        else " Run the connector itself: that looks instead of guessing."
    )
    blocks = [
        Block(label="Asked", text=line(display(text.strip(), limit=200))),
        Block(text=line(sentence + meant)),
    ]
    return _Leaf(title="Nothing found", blocks=blocks, links=close)


def _links(shown: Page) -> list[str]:
    """The codes that the page names, those that look like it first."""
    named = (*shown.look_alikes, *_CODE.findall(shown.body))
    known = frozenset(codes())
    return [code for code in dict.fromkeys(named) if code in known and code != shown.code]


def _link(code: str) -> Content:
    named = page(code)
    return Content.assemble(
        Content.styled(code, "bold"), f"  {named.name}  ", Content.styled(_place(named.step), "dim")
    )


def _place(step_id: str) -> str:
    if step_id not in TITLES:
        return {"config": "before the run", "any": "any step"}.get(step_id, step_id)
    number, title = TITLES[step_id]
    return f"step {number} {title}"


def _page_blocks(shown: Page) -> Iterator[Block]:
    yield Block(text=Content.styled(plain(shown.summary), "bold"))
    yield Block(text=Content(""))
    yield Block(label="Step", text=Content(_place(shown.step).removeprefix("step ")))
    for label, field in _FACTS:
        yield Block(label=label, text=Content(getattr(shown, field).replace("_", " ")))
    yield Block(label="Rule", text=Content(shown.rule))
    if shown.spec:
        yield Block(label="Read", text=Content(shown.spec))
    if shown.scenarios:
        yield Block(label="Try it", text=Content(f"diagnose demo {shown.scenarios[0]}"))
    for heading in HEADINGS:
        yield Block(text=Content(""))
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
            yield Block(text=Content(""))
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


def _candidate_blocks(text: str, fitting: Sequence[Candidate]) -> Iterator[Block]:
    yield Block(label="Asked", text=line(display(text.strip(), limit=200)))
    yield Block(text=Content(""))
    for candidate in fitting:
        shown = candidate.page
        yield Block(label=shown.code, text=Content(plain(shown.summary)))
    yield Block(text=Content(""))
    yield Block(
        text=Content("An error text alone decides nothing: a run sends the contrast that tells them apart.")
    )
    yield Block(text=Content(""))
