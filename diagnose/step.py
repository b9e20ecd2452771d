"""What a check is, what it gets and how it says what it found.

A check is ``async def name(ctx, facts...) -> Facts``. It adds findings on the way with ``ctx.warn`` and
fails by raising :class:`Fault`. Values flow one way: facts of earlier steps come in by type, its own
facts go out. It never prints, sleeps, retries, reads the environment or catches ``Exception``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from diagnose.wire.recorder import Recorded

__all__ = [
    "TITLES",
    "Aspect",
    "CatalogueFacts",
    "Check",
    "Evidence",
    "Facts",
    "Fault",
    "Finding",
    "OnTimeout",
    "Rule",
    "Step",
    "classify",
    "step",
]

TITLES: Mapping[str, tuple[int, str]] = {
    "dns": (1, "DNS"),
    "tcp": (2, "TCP"),
    "tls": (3, "TLS"),
    "http_reachability": (4, "HTTP reachability"),
    "auth_discovery": (5, "Auth discovery"),
    "token_validity": (6, "Token validity"),
    "mcp_initialize": (7, "MCP initialize"),
    "session_open": (8, "Session open"),
    "list_tools": (9, "List tools"),
    "sample_call": (10, "Sample call"),
    "teardown": (11, "Teardown"),
}
"""The eleven steps: number and title by id, always in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was looked at, what should have been there, and what was: byte exact."""

    label: str
    observed: str | None = None
    expected: str | None = None
    where: str | None = None
    exchange: int | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A code of the catalogue with the arguments of its templates.

    ``exchange`` names the recorded request from which the reproduction line is made. ``confidence``,
    ``actor`` and ``severity`` override the page only where this instance differs from the page's rule.
    ``advice`` is one more sentence of the fix: the very setting of the product that was recognised.
    """

    code: str
    args: Mapping[str, object] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    confidence: str | None = None
    actor: str | None = None
    severity: str | None = None
    where: str | None = None
    ruled_out: tuple[str, ...] = ()
    exchange: int | None = None
    advice: str | None = None
    step: str | None = None
    """An earlier step to which the finding belongs although it shows only now."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What the report says of that earlier step in the light of the finding."""


class Facts:
    """Base of what a step learned. Subclasses are frozen, keyword-only dataclasses.

    A field whose name starts with an underscore, or whose metadata says ``report: False``, stays inside:
    live streams, raw bodies, secrets.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def public(self) -> dict[str, Any]:
        """The facts as the report shows them; None values are left out."""
        shown: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name.startswith("_") or not item.metadata.get("report", True) or value is None:
                continue
            shown[item.name] = _plain(value)
        return shown


class CatalogueFacts(Facts):
    """Facts that hold the server's tools: ``_tools`` are the raw ones of all pages, in order."""

    _tools: tuple[Any, ...]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: _plain(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if getattr(value, item.name) is not None and item.metadata.get("report", True)
        }
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | frozenset | set):
        return [_plain(item) for item in value]
    return value


class Fault(Exception):
    """The step failed: one decisive finding, and the facts that were learned all the same.

    ``step`` names an earlier step to which the fault belongs although it shows only now (a TLS alert that
    arrives with the first HTTP read): that step's result becomes failed, the current one is skipped.
    """

    def __init__(
        self,
        code: str,
        *evidence: Evidence,
        facts: Facts | None = None,
        confidence: str | None = None,
        actor: str | None = None,
        where: str | None = None,
        ruled_out: tuple[str, ...] = (),
        exchange: int | None = None,
        step: str | None = None,
        **args: object,
    ) -> None:
        super().__init__(code)
        self.facts = facts
        self.shown: Facts | None = None
        self.step = step
        self.finding = Finding(
            code=code,
            args=args,
            evidence=evidence,
            confidence=confidence,
            actor=actor,
            where=where,
            ruled_out=ruled_out,
            exchange=exchange,
        )

    @classmethod
    def of(cls, finding: Finding, *, facts: Facts | None = None, shown: Facts | None = None) -> Fault:
        """A fault whose finding was made elsewhere; ``shown`` are facts for the report alone."""
        fault = cls(finding.code, facts=facts)
        fault.finding = finding
        fault.shown = shown
        return fault


Check = Callable[..., Awaitable[Facts]]
OnTimeout = str | Callable[["Recorded | None"], str]
"""A code, or a function from the last exchange of the step to one."""


Aspect = Literal["endpoint", "network", "credential", "era", "depth", "call"]
"""A part of what a run is about: where one differs, what was learned about it is not reused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check and what the pipeline must know of it.

    ``needs`` are the facts without which it cannot run; ``wants`` are passed as None where an earlier
    step failed. ``codes`` are the prefixes it may raise besides ENV and BUG; ``on_timeout`` is the code of
    a deadline that fires inside it. ``about`` says that its facts are knowledge that a later run may reuse,
    and which aspects of the connector it is about; None that they hold something live, which is gone with
    its run, or that making them anew costs nothing.
    """

    id: str
    run: Check
    gives: type[Facts]
    needs: tuple[type[Facts], ...] = ()
    wants: tuple[type[Facts], ...] = ()
    codes: tuple[str, ...] = ()
    on_timeout: OnTimeout
    deadline: float
    always: bool = False
    patience: float | None = None
    """The deadline where the user named what is done."""
    called: str | None = None
    """The title where the transport gives the step another one."""
    about: frozenset[Aspect] | None = None

    @property
    def number(self) -> int:
        return TITLES[self.id][0]

    @property
    def title(self) -> str:
        return self.called or TITLES[self.id][1]


def step(
    step_id: str,
    *,
    gives: type[Facts],
    needs: tuple[type[Facts], ...] = (),
    wants: tuple[type[Facts], ...] = (),
    codes: tuple[str, ...],
    on_timeout: OnTimeout,
    deadline: float,
    always: bool = False,
    patience: float | None = None,
    called: str | None = None,
    about: frozenset[Aspect] | None = None,
) -> Callable[[Check], Step]:
    """Make a check function a :class:`Step`; ``deadline`` is in seconds."""

    def wrap(run: Check) -> Step:
        return Step(
            id=step_id,
            run=run,
            gives=gives,
            needs=needs,
            wants=wants,
            codes=codes,
            on_timeout=on_timeout,
            deadline=deadline,
            always=always,
            patience=patience,
            called=called,
            about=about,
        )

    return wrap


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row of a classification table: which exception means which code, and why."""

    when: Callable[[BaseException], bool]
    code: str
    why: str
    args: Callable[[BaseException], Mapping[str, object]] = lambda _: {}


@contextmanager
def classify(table: tuple[Rule, ...], *evidence: Evidence, **args: object) -> Iterator[None]:
    """Turn an exception into the Fault of the first matching row; one that matches none passes through."""
    try:
        yield
    except Exception as problem:  # the one choke point: what no row claims goes on as it came
        for row in table:
            if row.when(problem):
                given: dict[str, Any] = {**args, **row.args(problem)}
                raise Fault(row.code, *evidence, **given) from problem
        raise
