"""The library's front: the connector, the run, the report. The command line uses nothing else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from diagnose.connector import Connector
from diagnose.context import Context, default_resolver
from diagnose.errors import UsageError
from diagnose.events import Event, RunFinished
from diagnose.model import Report
from diagnose.options import Options
from diagnose.pipeline import Run
from diagnose.redact import Redactor
from diagnose.step import Step
from diagnose.wire.recorder import Recorder
from diagnose.wire.resolver import Resolver, SystemResolver
from diagnose.wire.threads import in_daemon_thread

if TYPE_CHECKING:
    from diagnose.connector import Problem
    from diagnose.resumption import Resume

__all__ = ["diagnose", "diagnose_sync", "start", "stream"]


def start(
    connector: Connector | str,
    *,
    options: Options | None = None,
    environ: Mapping[str, str] | None = None,
    resolver: Resolver | None = None,
    steps: tuple[Step, ...] | None = None,
    problems: Sequence[Problem] = (),
    resume: Resume | None = None,
) -> Run:
    """Prepare a run without sending anything.

    ``connector`` may be a URL; ``environ`` (default: the process's) resolves references and proxies;
    ``steps`` replaces the eleven; ``problems`` are those of its definition, for the report; ``resume`` names
    an earlier run and the step from which on it is walked again. A stored login is read here, which may wait
    for the keyring. Raises UsageError for input that cannot be used.
    """
    if isinstance(connector, str):
        connector = Connector(url=connector)
    environ = dict(os.environ if environ is None else environ)
    options = options or Options()
    _check_consent(connector, options)
    login = None
    if _may_use_login(connector, options):
        from diagnose.oauth.logins import with_login

        connector, login = with_login(connector, environ)
    redactor = Redactor()
    redactor.register(*connector.secrets(environ), *(login.secrets() if login is not None else ()))
    if steps is None:
        steps = _steps(connector)
    context = Context(
        connector=connector,
        options=options,
        environ=environ,
        redactor=redactor,
        recorder=Recorder(first=resume.run.ctx.recorder.next_id if resume is not None else 1),
        resolver=resolver or _resolver(connector),
        login=login,
        problems=tuple(problems),
    )
    run = Run(ctx=context, steps=steps)
    if resume is not None:
        from diagnose.resumption import knowledge

        redactor.register_those_of(resume.run.ctx.redactor)
        run.reused = knowledge(resume, context, steps)
    if context.options.runtime:
        from diagnose.runtime_check import repeat_with_sdk

        run.afterwards = repeat_with_sdk
    return run


def _check_consent(connector: Connector, options: Options) -> None:
    """Raises UsageError CFG071 for a command that nobody said may be started."""
    if connector.needs_consent and not options.allow_stdio:
        from diagnose.connector.consent import unconfirmed

        raise unconfirmed(connector)


def _steps(connector: Connector) -> tuple[Step, ...]:
    if connector.stdio is not None:
        from diagnose_checks.stdio_steps import STDIO_STEPS

        return STDIO_STEPS
    from diagnose_checks import STEPS

    return STEPS


def _resolver(connector: Connector) -> Resolver:
    return SystemResolver() if connector.stdio is not None else default_resolver(connector)


def _may_use_login(connector: Connector, options: Options) -> bool:
    # Whoever asks to log in gets a new login instead of the one that is there.
    return connector.credential.type == "oauth2" and options.stored_login and not options.login


async def stream(
    connector: Connector | str,
    *,
    options: Options | None = None,
    environ: Mapping[str, str] | None = None,
    resolver: Resolver | None = None,
) -> AsyncGenerator[Event, None]:
    """Diagnose and give each event as it happens; the last one is RunFinished. Raises UsageError."""
    prepare = partial(start, connector, options=options, environ=environ, resolver=resolver)
    stored = isinstance(connector, Connector) and _may_use_login(connector, options or Options())
    run = await in_daemon_thread(prepare) if stored else prepare()
    async with aclosing(run.events()) as events:
        async for event in events:
            yield event


async def diagnose(
    connector: Connector | str,
    *,
    options: Options | None = None,
    environ: Mapping[str, str] | None = None,
    resolver: Resolver | None = None,
) -> Report:
    """Walk the eleven steps and return the report. Raises UsageError, and nothing a server can cause."""
    async for event in stream(connector, options=options, environ=environ, resolver=resolver):
        if isinstance(event, RunFinished):
            return event.report
    raise AssertionError("a run ends with RunFinished")


def diagnose_sync(
    connector: Connector | str,
    *,
    options: Options | None = None,
    environ: Mapping[str, str] | None = None,
    resolver: Resolver | None = None,
) -> Report:
    """The blocking twin of :func:`diagnose`. Raises UsageError, also inside a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(diagnose(connector, options=options, environ=environ, resolver=resolver))
    raise UsageError(
        "CFG006",
        "diagnose_sync was called inside a running event loop",
        hint="await diagnose(...) there",
    )
