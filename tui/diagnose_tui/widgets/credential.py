"""The credential of a connector: kept as it is, or typed anew, and never shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Select

from diagnose_tui.text import line
from diagnose_tui.typed_values import KINDS, PROOFS
from diagnose_tui.widgets.fields import Field, Line
from diagnose_tui.widgets.pairs import SecretLine

__all__ = ["CredentialFields"]


class CredentialFields(Vertical):
    """A kind, and what it is made of."""

    DEFAULT_CSS = """
    CredentialFields { height: auto; }
    CredentialFields .proofs { height: auto; }
    """

    def __init__(self, old: Any) -> None:
        super().__init__()
        self._old = old
        self._left = False
        self._proofs: dict[str, Line] = {}
        kept = [] if old.type == "none" else [(line(_described(old)), "kept")]
        kinds = [(Content(words), kind) for kind, words in KINDS.items()]
        self._kind: Select[str] = Select(
            [*kept, *kinds], value="kept" if kept else "none", allow_blank=False, compact=True
        )

    def compose(self) -> ComposeResult:
        yield self._kind
        yield Vertical(classes="proofs")

    @property
    def typed(self) -> tuple[str, Mapping[str, str]]:
        """The kind and what was typed for it."""
        return str(self._kind.value), {name: control.value for name, control in self._proofs.items()}

    def leave_behind(self) -> None:
        """Forget the old credential: it belongs to another origin."""
        self._left = True
        if self._kind.value == "kept":
            self._kind.value = "none"
        for control in self._proofs.values():
            if control.placeholder == "unchanged":
                control.placeholder = ""

    @on(Select.Changed)
    async def _show(self, event: Select.Changed) -> None:
        event.stop()
        kind = str(event.value)
        same = not self._left and self._old.type == kind
        fields = []
        self._proofs = {}
        for name, label, secret in PROOFS.get(kind, ()):
            kept = "" if secret or not same else str(getattr(self._old, name) or "")
            placeholder = "unchanged" if secret and same else "${env:NAME}, or the value" if secret else ""
            self._proofs[name] = SecretLine(placeholder=placeholder) if secret else Line(kept)
            hint = "All three may stay empty; l on the main screen logs in." if name == "issuer" else ""
            fields.append(Field(label, self._proofs[name], hint=hint))
        proofs = self.query_one(".proofs", Vertical)
        async with self.batch():
            await proofs.remove_children()
            await proofs.mount(*fields)


def _described(credential: Any) -> str:
    said = credential.describe()
    source = "" if said.get("source") in (None, "literal") else f", from {said['source']}"
    return f"as it is: {KINDS.get(credential.type, credential.type)}{source}"
