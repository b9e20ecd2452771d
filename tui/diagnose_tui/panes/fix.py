"""What to do, who does it, and what to send to whoever that is."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.content import Content
from textual.style import Style

from diagnose.catalogue import Page, page
from diagnose.display import display
from diagnose.model import Finding, StepResult
from diagnose.report.wording import ACTORS
from diagnose_tui.flow import Block
from diagnose_tui.panes.decisive import decisive
from diagnose_tui.panes.evidence import bounded
from diagnose_tui.panes.flow_pane import FlowPane
from diagnose_tui.text import line, plain
from diagnose_tui.view import View

__all__ = ["FixPane", "fix_blocks", "fix_text", "forward_text"]

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'`])")
_NOT_AN_END = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|RFC)|\b[A-Z])\.$")
_CODE = re.compile(r"```[a-z]*\n(?P<fence>.*?)```|`(?P<span>[^`\n]+)`", re.DOTALL)
_NAMES = """
    brew cat certbot chmod curl date diagnose dig docker env export getent head ip npm npx nslookup
    openssl pip pipx ping printf python python3 security sudo systemctl timedatectl trust
    update-ca-certificates uv uvx which
"""
_PROGRAMS = frozenset(_NAMES.split())
"""What begins a command among the code spans of a page; the others are headers, values and names."""
_GAP = Block(text=Content(""))


class FixPane(FlowPane):
    """The steps of the fix, the text to forward, and commands to copy."""

    TITLE: ClassVar[str] = "Fix"

    @classmethod
    def blank(cls, view: View) -> str | None:
        if view.trouble is not None or decisive(view) is not None:
            return None
        if view.report is None:
            return "No finding so far, so there is nothing to fix."
        return "Nothing to fix: no step failed or warned."

    @classmethod
    def blocks(cls, view: View, width: int) -> list[Block]:
        return fix_blocks(view)


def fix_blocks(view: View) -> list[Block]:
    """Everything that the pane says of ``view``."""
    if view.trouble is not None:
        trouble = view.trouble
        title = Block(text=line(f"{trouble.code} {trouble.name}", "bold"))
        where = [Block(label="Where", text=line(trouble.where))] if trouble.where else []
        return [title, *_steps(trouble.hint), *where, *_catalogue(trouble.code)]
    found = decisive(view)
    if found is None:
        return [Block(text=plain(FixPane.blank(view) or "", "$text-muted"))]
    step, finding = found
    blocks = [
        Block(text=line(f"{finding.code} {finding.name}, step {step.number} {step.title}", "bold")),
        *_steps(bounded(finding.fix)),
        Block(label="Who acts", text=line(ACTORS[finding.actor])),
    ]
    if finding.forward:
        blocks += [
            _GAP,
            _heading(f"To send to {ACTORS[finding.actor]}" if finding.actor != "user" else "To send"),
        ]
        blocks += [Block(text=plain(bounded(finding.forward)), indent=2)]
    if commands := _commands(finding):
        blocks += [
            _GAP,
            _heading("Commands"),
            *(Block(text=plain(text), wraps=False) for text in commands),
        ]
    return [*blocks, *_catalogue(finding.code)]


def _steps(text: str) -> list[Block]:
    """The sentences of a fix, numbered where there are several."""
    sentences = _sentences(text)
    if len(sentences) == 1:
        return [Block(label="Fix", text=plain(text))]
    return [
        Block(label=f"{'Fix' if number == 1 else '':<8}{number}", text=plain(sentence))
        for number, sentence in enumerate(sentences, 1)
    ]


def _sentences(text: str) -> list[str]:
    sentences: list[str] = []
    for part in _SENTENCE.split(text):
        if sentences and _NOT_AN_END.search(sentences[-1]):
            sentences[-1] += f" {part}"
        else:
            sentences.append(part)
    return sentences


def _heading(text: str) -> Block:
    return Block(text=line(text, "bold"))


def _commands(finding: Finding) -> list[str]:
    """Lines for a shell: the one that reproduces the finding, and those of the page's fix."""
    made_for_it = [finding.reproduce] if finding.reproduce else []
    entry = _page(finding.code)
    return made_for_it + (_page_commands(entry) if entry is not None else [])


def _page_commands(entry: Page) -> list[str]:
    spans = (match["span"] or match["fence"].strip() for match in _CODE.finditer(entry.section("Fix")))
    return [text for text in dict.fromkeys(spans) if " " in text and text.split()[0] in _PROGRAMS]


def _catalogue(code: str) -> list[Block]:
    entry = _page(code)
    if entry is None:
        return []
    blocks = [_GAP, _heading(f"The catalogue on {entry.code} (e shows the whole page)")]
    blocks += [Block(text=_prose(text), indent=2) for text in entry.section("Fix").split("\n\n")]
    if entry.spec:
        # Ours, never a server's: the only kind of text that is made a link of.
        blocks.append(Block(label="Rule", text=Content.styled(entry.spec, Style(link=entry.spec))))
    return blocks


def _page(code: str) -> Page | None:
    try:
        return page(code)
    except KeyError:  # a report of another version of this program
        return None


def _prose(text: str) -> Content:
    """A paragraph of a page, with its code spans set apart; the line breaks of the source mean nothing."""
    if text.startswith("```"):
        return plain("\n".join(text.split("\n")[1:-1]))
    parts = " ".join(text.split("\n")).split("`")
    return Content.assemble(
        *((part, "$text-accent" if place % 2 else "") for place, part in enumerate(parts))
    )


def fix_text(view: View) -> str:
    """The fix as text to paste: what is wrong and why, what to do, who does it. Empty without a finding."""
    if view.trouble is not None:
        trouble = view.trouble
        return _safe(f"{trouble.code} {trouble.name}: {trouble.what}", f"Fix: {trouble.hint}", trouble.where)
    found = decisive(view)
    if found is None:
        return ""
    step, finding = found
    return _safe(
        _said(step, finding),
        f"Cause: {finding.cause}",
        f"Fix: {finding.fix}",
        f"Who acts: {ACTORS[finding.actor]}",
        f"Rule: {finding.rule}" if finding.rule else None,
        f"Reproduce: {finding.reproduce}" if finding.reproduce else None,
    )


def forward_text(view: View) -> str:
    """The text for whoever must act, ready to be sent. Empty where nobody must."""
    found = decisive(view)
    if found is None:
        return ""
    step, finding = found
    if finding.forward:
        return _safe(finding.forward, f"Reproduce: {finding.reproduce}" if finding.reproduce else None)
    return _safe(_said(step, finding), finding.cause, finding.fix)


def _said(step: StepResult, finding: Finding) -> str:
    return f"{finding.code} {finding.name} (step {step.number} {step.title}): {finding.summary}"


def _safe(*lines: str | None) -> str:
    return "\n".join(display(text, layout=True) for text in lines if text)
