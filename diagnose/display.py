"""Text from a server is data: make every character of it visible and harmless.

Rules and their reasons: terminals act on C0, DEL and C1 (CVE-2021-25743 in kubectl is the classic);
bidi controls and invisible characters hide what a name really is; both are shown, never dropped, because
a hidden character in a tool name is itself something a reader must see.
"""

from __future__ import annotations

import re

__all__ = ["SafeText", "display", "hidden_characters"]

# Characters a terminal or a reader can be fooled with, as ranges of code points.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\u3164\ufeff\uffa0"
)
_TAGS = "\U000e0000-\U000e007f"
_SURROGATES = "\ud800-\udfff"
_LINE_BREAKS = "\u2028\u2029"  # break a line in JavaScript and in some log viewers
_UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f{_BIDI}{_INVISIBLE}{_TAGS}{_SURROGATES}{_LINE_BREAKS}]")


class SafeText(str):
    """Text in which no character can act; made by :func:`display` alone."""

    __slots__ = ()


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return "^" + chr(code + 0x40)
    if code == 0x7F:
        return "^?"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _visible_but_layout(match: re.Match[str]) -> str:
    return match.group() if match.group() in "\n\t" else _visible(match)


def display(text: str, *, limit: int | None = None, layout: bool = False) -> SafeText:
    """Show ``text`` with every control and invisible character written out.

    ``limit`` cuts after that many code points and says how many more there were; ``layout`` keeps
    newlines and tabs, for bodies that are shown as blocks.
    """
    if isinstance(text, SafeText) and limit is None:
        return text
    rest = ""
    if limit is not None and len(text) > limit:
        rest = f"… +{len(text) - limit}"
        text = text[:limit]
    return SafeText(_UNSAFE.sub(_visible_but_layout if layout else _visible, text) + rest)


def hidden_characters(text: str) -> tuple[str, ...]:
    """The control, bidi and invisible characters in ``text``, each as ``U+XXXX``, in order."""
    return tuple(f"U+{ord(char):04X}" for char in _UNSAFE.findall(text))
