"""What a step learned, kept for a later run of the same connector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from diagnose import model
from diagnose.connector import Connector
from diagnose.connector.launch import launch_of
from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Aspect, Facts
from diagnose.wire.recorder import Recorded

__all__ = ["Ended", "Learned", "same_aspect", "shown"]

_ROUTE_VARIABLES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


@record
class Learned:
    """The facts of a finished step, and its result before a later step added to it.

    ``at`` is on the clock of the run's context. ``given`` is what the step was given, as the report shows
    it; ``exchanges`` are those that the result and its findings point at.
    """

    facts: Facts
    result: model.StepResult
    run_id: str
    at: float
    given: Mapping[type[Facts], Mapping[str, Any] | None]
    exchanges: tuple[Recorded, ...] = ()
    proxies: Mapping[str, str]

    def fits(self, facts: Mapping[type[Facts], Facts]) -> bool:
        """Whether a later run has learned the same of the steps before, so that this still follows."""
        return all(before == shown(facts, kind) for kind, before in self.given.items())

    def reused(self, now: float) -> model.StepResult:
        """The result as a later run holds it: it began and lasted in another one."""
        origin = {
            "run": self.run_id,
            "age_s": round(now - self.at, 1),
            "duration_ms": self.result.duration_ms,
        }
        return self.result.model_copy(
            update={
                "started_ms": None,
                "duration_ms": None,
                "facts": {**self.result.facts, "reused": origin},
            }
        )


@record
class Ended:
    """A step of a run at its end: its first result, when that came, and where it was reused from."""

    result: model.StepResult
    at: float
    reused: Learned | None = None


def shown(facts: Mapping[type[Facts], Facts], kind: type[Facts]) -> Mapping[str, Any] | None:
    """The facts of that type as the report shows them."""
    found = facts.get(kind)
    return found.public() if found is not None else None


def same_aspect(aspect: Aspect, *asked: tuple[Connector, Context]) -> bool:
    """Whether two runs are about the same. Each is the connector as it was given, and the run's context.

    Raises UsageError for an unset reference.
    """
    one, other = (_ASPECTS[aspect](connector, ctx) for connector, ctx in asked)
    return bool(one == other)


def _endpoint(connector: Connector, ctx: Context) -> object:
    if connector.stdio is None:
        return connector.transport
    launch = launch_of(connector.stdio, ctx.environ)
    return launch.argv, dict(launch.env), launch.cwd, connector.source.format


def _network(connector: Connector, ctx: Context) -> object:
    route = {name: value for name, value in ctx.environ.items() if name.lower() in _ROUTE_VARIABLES}
    return connector.network, ctx.resolver.source, route


def _credential(connector: Connector, ctx: Context) -> object:
    return connector.credential, connector.headers, connector.secrets(ctx.environ)


def _depth(_: Connector, ctx: Context) -> object:
    return ctx.options.deep, ctx.options.register, ctx.options.limits


def _call(connector: Connector, ctx: Context) -> object:
    options = ctx.options
    asked = options.sample, options.tool, dict(options.arguments), options.confirmed_tools
    return asked, connector.sample, connector.tools


_ASPECTS: Mapping[Aspect, Callable[[Connector, Context], object]] = {
    "endpoint": _endpoint,
    "network": _network,
    "credential": _credential,
    "era": lambda connector, _: connector.era,
    "depth": _depth,
    "call": _call,
}
