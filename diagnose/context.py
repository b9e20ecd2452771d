"""What a check is given: the connector, the wire, the clock. Nothing it needs comes from elsewhere."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import shlex
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from diagnose.connector import Connector
from diagnose.connector.address import Origin
from diagnose.errors import UsageError
from diagnose.options import Options
from diagnose.redact import Redactor
from diagnose.step import Evidence, Fault, Finding
from diagnose.wire.recorder import Recorder
from diagnose.wire.resolver import NameserverResolver, PinnedResolver, Resolver, SystemResolver

if TYPE_CHECKING:
    from diagnose.connector import Problem
    from diagnose.oauth.acquisition import Person
    from diagnose.oauth.record import StoredLogin

__all__ = ["Context", "command_line", "default_resolver", "split_resolver"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(kw_only=True)
class Context:
    """One run's world. Tests replace one field and patch nothing.

    ``common`` are the template arguments that every finding of the run may use.
    """

    connector: Connector
    options: Options
    environ: Mapping[str, str]
    redactor: Redactor
    recorder: Recorder
    resolver: Resolver
    clock: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    random: random.Random = field(default_factory=random.SystemRandom)
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)
    login: StoredLogin | None = None
    """The stored login whose tokens the connector's credential has."""
    person: Person | None = None
    """Who is asked to log in; None where nobody is there."""
    waited_s: float = 0.0
    """Seconds for which a person was waited for: no deadline counts them."""
    clock_skew_s: float | None = None
    trust_store: str | None = None
    proxies: dict[str, str] = field(default_factory=dict)
    transport_name: str | None = None
    problems: tuple[Problem, ...] = ()
    """What is wrong with the definition of the connector, which can be used all the same."""
    step_id: str = ""
    _findings: list[Finding] = field(default_factory=list)
    _not_applicable: str | None = None
    _until: float = float("inf")
    _scope: asyncio.Timeout | None = None
    _late: Callable[[], Fault | None] | None = None

    @property
    def origin(self) -> Origin:
        return self.connector.origin

    def warn(
        self,
        code: str,
        *evidence: Evidence,
        confidence: str | None = None,
        actor: str | None = None,
        severity: str | None = None,
        where: str | None = None,
        ruled_out: tuple[str, ...] = (),
        exchange: int | None = None,
        step: str | None = None,
        facts: Mapping[str, object] | None = None,
        **args: object,
    ) -> None:
        """Add a finding that does not end the step: a warning or a note, as its page says.

        ``step`` names the earlier step whose finding it is although it shows only now, and ``facts`` what
        its facts are in the light of it.
        """
        self._findings.append(
            Finding(
                code=code,
                args=args,
                evidence=evidence,
                confidence=confidence,
                actor=actor,
                severity=severity,
                where=where,
                ruled_out=ruled_out,
                exchange=exchange,
                step=step,
                facts=facts or {},
            )
        )

    def add(self, finding: Finding) -> None:
        """Add a finding that was made elsewhere; like :meth:`warn` it does not end the step."""
        self._findings.append(finding)

    def not_applicable(self, reason: str) -> None:
        """Say that this step has no meaning for this connector; the check still returns its facts."""
        self._not_applicable = reason

    def if_late(self, build: Callable[[], Fault | None]) -> None:
        """Say which fault a deadline that fires from now on means; it replaces the step's ``on_timeout``,
        unless it finds none.

        It is built at that moment, so that it shows how far the step got. Its templates also get {seconds}
        and {progress}.
        """
        self._late = build

    def time_left(self) -> float:
        """Seconds until the current step's deadline."""
        return max(self._until - self.monotonic(), 0.0)

    @asynccontextmanager
    async def waiting_for_person(self, seconds: float) -> AsyncIterator[None]:
        """Stop the deadlines of step and run while somebody acts. Raises TimeoutError after ``seconds``."""
        scope, began = self._scope, self.monotonic()
        if scope is not None:
            scope.reschedule(None)
        try:
            async with asyncio.timeout(seconds):
                yield
        finally:
            took = self.monotonic() - began
            self.waited_s += took
            self._until += took
            if scope is not None and not scope.expired():  # an interrupt has ended the step
                scope.reschedule(asyncio.get_running_loop().time() + self.time_left())

    def begin(self, step_id: str, until: float, scope: asyncio.Timeout | None = None) -> None:
        """Start collecting for a step, whose deadline is ``scope``; called by the pipeline."""
        self.step_id, self._scope = step_id, scope
        self._findings, self._not_applicable, self._until, self._late = [], None, until, None

    def collected(self) -> tuple[list[Finding], str | None]:
        """What the step added; called by the pipeline."""
        return self._findings, self._not_applicable

    def late(self) -> Fault | None:
        """The fault that the step named for its deadline; called by the pipeline."""
        return self._late() if self._late is not None else None

    @property
    def target(self) -> str:
        """What is diagnosed, as one line without secrets: the URL, or the command line."""
        process = self.connector.stdio
        if process is None:
            return self.redactor.text(self.connector.url)
        return command_line(process.argv, self.redactor)

    def address(self) -> dict[str, Any]:
        """Where the connector is, as the report holds it: ``url``, or ``command``."""
        process = self.connector.stdio
        if process is None:
            return {"url": str(self.redactor.clean(self.connector.url))}
        return {"command": self.redactor.clean(self.redactor.argv(process.argv))}

    def common(self) -> dict[str, Any]:
        """Template arguments that every finding may use."""
        if self.connector.stdio is not None:
            line = self.target
            return {
                "url": line,
                "origin": line,
                "host": "this machine",
                "port": "none",
                "connector": self.connector.name,
            }
        return {
            "url": self.connector.url,
            "origin": str(self.origin),
            "host": self.origin.host,
            "port": self.origin.port,
            "connector": self.connector.name,
        }


def default_resolver(connector: Connector) -> Resolver:
    """The resolver that the connector's network settings ask for."""
    network = connector.network
    base: Resolver = SystemResolver()
    if network.resolver is not None:
        ip, port = split_resolver(network.resolver)
        base = NameserverResolver(ip, port)
    return PinnedResolver(network.resolve, base) if network.resolve else base


def command_line(argv: Sequence[str], redactor: Redactor) -> str:
    """An argument vector as a shell would take it, without secrets."""
    return " ".join(shlex.quote(word) for word in redactor.argv(argv))


def split_resolver(text: str) -> tuple[str, int]:
    """``IP[:PORT]`` of a name server. Raises UsageError CFG010."""
    host, port = text, "53"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.lstrip(":") or "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        ipaddress.ip_address(host)
        number = int(port)
        if not 0 < number < 65536:
            raise ValueError
    except ValueError:
        raise UsageError(
            "CFG010",
            f"the name server {text!r} is not an address",
            where="--resolver",
            hint="write it as IP or IP:PORT, such as 1.1.1.1 or [2606:4700::1111]:53",
        ) from None
    return host, number
