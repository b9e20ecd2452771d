"""Evidence as a pair, expected and observed, with the part in which they differ marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from diagnose.display import display
from diagnose.report.difference import Difference, cells, difference
from diagnose_tui.flow import MARGIN, Block
from diagnose_tui.text import line, plain

if TYPE_CHECKING:
    from diagnose.model import Evidence

__all__ = ["bounded", "evidence_blocks"]

_LONGEST = 6000
"""Characters of one text that are shown; a stored report may hold more than a screen can lay out at once."""
_EXPECTED = "bold $text-success"
_OBSERVED = "bold $text-error"


def bounded(text: str) -> str:
    """``text`` as far as it is laid out, with the number of characters that are left out."""
    rest = len(text) - _LONGEST
    return text if rest <= 0 else f"{text[:_LONGEST]} ({rest} more characters: see JSON)"


def evidence_blocks(evidence: Evidence, width: int) -> list[Block]:
    """One piece of evidence in a column of ``width`` cells."""
    place = f" ({evidence.where})" if evidence.where else ""
    head = Block(label="Evidence", text=line(bounded(f"{evidence.label}{place}")))
    expected, observed = (
        None if text is None else str(display(bounded(text), layout=True))
        for text in (evidence.expected, evidence.observed)
    )
    gap = difference(expected, observed) if expected is not None and observed is not None else None
    if gap is None:
        pair = [("expected", expected), ("observed", observed)]
        return [head, *(block for word, text in pair if text is not None for block in _one(word, text))]
    room = width - 2 * MARGIN
    if all("\n" not in text and cells(text) <= room for text in (expected or "", observed or "")):
        return [head, *_side_by_side(gap)]
    return [head, *_in_one(gap)]


def _side_by_side(gap: Difference) -> list[Block]:
    """Two lines that fit, and carets below: seen without colour, too."""
    carets = " " * cells(gap.before) + "^" * max(cells(gap.observed), 1)
    return [
        _detail("expected", _marked(gap.before, (gap.expected, _EXPECTED), gap.after)),
        _detail("observed", _marked(gap.before, (gap.observed, _OBSERVED), gap.after)),
        Block(text=Content.styled(carets, "$text-error"), indent=2 * MARGIN, wraps=False),
    ]


def _in_one(gap: Difference) -> list[Block]:
    """What does not fit into a line, once, with both middles in place."""
    legend = _marked("", ("[-expected-]", _EXPECTED), ("{+observed+}", _OBSERVED))
    middles = ((f"[-{gap.expected}-]", _EXPECTED), (f"{{+{gap.observed}+}}", _OBSERVED))
    text = _marked(gap.before, *middles, gap.after)
    return [
        Block(text=legend, indent=MARGIN),
        *(
            Block(text=_marked("| ", part), indent=MARGIN)
            for part in text.expand_tabs(4).split("\n", allow_blank=True)
        ),
    ]


def _one(word: str, text: str) -> list[Block]:
    if not text:
        return [_detail(word, Content.styled("(empty)", "$text-muted"))]
    if "\n" not in text:
        return [_detail(word, plain(text))]
    # The gutter shows which lines are a stranger's.
    lines = (Block(text=plain(f"| {part}").expand_tabs(4), indent=MARGIN) for part in text.split("\n"))
    return [_detail(word, Content("")), *lines]


def _detail(word: str, text: Content) -> Block:
    return Block(label=word, text=text, indent=MARGIN, quiet=True)


def _marked(*parts: str | Content | tuple[str, str]) -> Content:
    return Content.assemble(*parts)
