"""What goes on behind the screen: the sessions, their runs, and what is kept of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from diagnose.options import Options
from diagnose_tui.entries import Entry
from diagnose_tui.keeping import Keeping
from diagnose_tui.playing import Playing
from diagnose_tui.session import Session
from diagnose_tui.walks import AT_ONCE, Began, Told, Walks

if TYPE_CHECKING:
    from diagnose.connector import Connector
    from diagnose.oauth.acquisition import Person
    from diagnose.pipeline import Run

__all__ = ["Board"]

_CLOSING = 6.0
"""Seconds that teardowns may take when the app ends: a step's grace, and what closes after it."""


class Board:
    """The sessions by key, in the order of the list. ``told`` is called in the thread of the runs."""

    def __init__(
        self,
        told: Callable[[str, Told], object],
        *,
        options: Options | None = None,
        at_once: int = AT_ONCE,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.options = options or Options()
        self.sessions: dict[str, Session] = {}
        self.environ = os.environ if environ is None else environ
        self.kept = Keeping(self.environ)
        self._playing = Playing()
        self._walks = Walks(told, at_once=at_once)

    def add(self, entries: Iterable[Entry], *, first: bool = False) -> None:
        """Add rows before those of the lab, or ``first`` of all; one that is there already stays as it is."""
        fresh = {entry.key: Session(entry) for entry in entries if entry.key not in self.sessions}
        own = {key: one for key, one in self.sessions.items() if one.entry.kind != "demo"}
        demos = {key: one for key, one in self.sessions.items() if one.entry.kind == "demo"}
        self.sessions = {**fresh, **own, **demos} if first else {**own, **fresh, **demos}

    def of(self, key: str | None) -> Session | None:
        return self.sessions.get(key) if key is not None else None

    def run(self, session: Session, *, step: str | None = None, person: Person | None = None) -> None:
        """Ask for a run, from ``step`` on with what the last run found before it; nothing blocks.

        With a ``person`` it is a login: the first six steps, the last of which gets a token. A run of the
        same session that goes, or waits, is ended first.
        """
        if session.busy:
            self.cancel(session)
        session.queue()
        self._walks.submit(session.key, self._preparing(session, step, person))

    def _preparing(self, session: Session, step: str | None, person: Person | None) -> Callable[[], Run]:
        entry = session.entry
        if entry.scenario is not None and session.edited is None and step is None and person is None:
            return partial(self._playing.prepare, entry.scenario)
        connector, options = self.wanted(session)
        options = replace(options, allow_stdio=options.allow_stdio or session.asks is None)
        environ = entry.environ if entry.environ is not None else self.environ
        if person is not None:
            return partial(_start_login, connector, options, environ, person)
        earlier = session.run if step is not None else None
        return partial(_start, connector, options, environ, earlier, step)

    def wanted(self, session: Session) -> tuple[Connector, Options]:
        """The connector and the options of the next run, as they were edited."""
        edited, entry = session.edited, session.entry
        connector = edited.connector if edited is not None else entry.connector
        options = edited.options if edited is not None else entry.options
        assert connector is not None, "an entry without connector is never run"
        return connector, options

    def resumable(self, session: Session, step: str) -> bool:
        """Whether the next run can begin at ``step``."""
        return session.run is not None and session.not_resumable(step) is None

    def cancel(self, session: Session) -> None:
        """End the session's run, or take it back where it waits for its turn."""
        self._walks.cancel(session.key)

    def take(self, key: str, told: Told) -> Session | None:
        """Let a session hear what its run said."""
        session = self.sessions.get(key)
        if session is not None:
            session.take(told)
            if isinstance(told, Began) and session.entry.connector is None:
                ctx = told.run.ctx  # of a scenario, whose server has an address only now
                session.entry = replace(
                    session.entry, connector=ctx.connector, options=ctx.options, environ=ctx.environ
                )
        return session

    @property
    def alive(self) -> bool:
        """Whether runs can go."""
        return self._walks.alive

    def end_runs(self) -> None:
        """End every run, and wait for their teardowns; blocks for some seconds at most."""
        self._walks.end_runs(_CLOSING)

    def close(self, *, at_once: bool = False) -> None:
        """End every run and every scenario; blocks for some seconds at most, ``at_once`` for a moment."""
        self._walks.close(0.1 if at_once else _CLOSING)
        self._playing.close()
        self.kept.close()


def _start(
    connector: Connector, options: Options, environ: Mapping[str, str], earlier: Run | None, step: str | None
) -> Run:
    from diagnose.api import start
    from diagnose.cli_target import with_stored_login
    from diagnose.resumption import Resume

    if options.stored_login:
        connector = with_stored_login(connector, environ)
    resume = Resume(run=earlier, step=step) if earlier is not None and step is not None else None
    return start(connector, options=options, environ=environ, resume=resume)


def _start_login(connector: Connector, options: Options, environ: Mapping[str, str], person: Person) -> Run:
    from diagnose.api import start
    from diagnose_tui.person import login_options

    ready, wanted = login_options(connector, options, environ)
    run = start(ready, options=wanted, environ=environ)
    run.ctx.person = person
    return run
