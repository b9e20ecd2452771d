"""What the keys of the main screen do: a method each; what somebody is asked is a screen of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from textual import events
from textual.app import App
from textual.screen import Screen
from textual.widgets import Input

from diagnose.events import RunFinished
from diagnose.wire.threads import in_daemon_thread
from diagnose_tui.board import Board
from diagnose_tui.entries import Entry
from diagnose_tui.glyphs import Glyphs
from diagnose_tui.keys import BY_ID, key_shown
from diagnose_tui.reasons import Situation, why_not
from diagnose_tui.session import Session
from diagnose_tui.view import View
from diagnose_tui.walks import Refused, Told
from diagnose_tui.widgets.connectors import Connectors
from diagnose_tui.widgets.detail import Detail
from diagnose_tui.widgets.step_list import StepList

if TYPE_CHECKING:
    from diagnose.model import Report
    from diagnose_tui.privacy import Mask
    from diagnose_tui.widgets.run_list import Calendar

__all__ = ["Deeds"]

_Answer = TypeVar("_Answer")

_SHOWN = 6.0
"""Seconds for which a sentence stays in the corner, unless something else is done."""
_SLOWEST = 300.0
"""Seconds between two runs of a watched connector that fails again and again."""


class Deeds(Screen[int]):
    """The actions by their ids."""

    board: Board
    glyphs: Glyphs
    frozen: bool
    watch_s: float = 30.0
    blurred: bool = False
    mask: Mask | None = None
    calendar: Calendar | None = None
    """What ages are counted from; None: this machine's."""
    leaving: bool = False
    """Whether somebody wants to leave, and the runs are being ended."""
    _warns_until = 0.0
    opens = False
    """Whether something was asked for that may open a screen: what is typed meanwhile is meant for that."""
    ahead: list[tuple[str, str | None]]

    @property
    def session(self) -> Session | None:
        raise NotImplementedError

    def redraw(self) -> None:
        raise NotImplementedError

    def dirty(self) -> None:
        raise NotImplementedError

    def show_run(self) -> None:
        raise NotImplementedError

    def show_list(self) -> None:
        raise NotImplementedError

    def view(self) -> View:
        raise NotImplementedError

    def enter(self, key: str) -> None:
        """Put the cursor of the list on ``key`` and show its run."""
        raise NotImplementedError

    def now(self) -> float:
        raise NotImplementedError

    async def asks(self, screen: Screen[_Answer]) -> _Answer | None:
        """Show a screen and wait for what it is dismissed with."""
        app: App[Any] = self.app
        answer = app.push_screen(screen, wait_for_dismiss=True)
        screen.call_after_refresh(self.call_after_refresh, self.typed_ahead)
        return await answer

    def typed_ahead(self) -> None:
        """Give the keys that were pressed while a question was on its way to whoever has the focus now."""
        self.opens = False
        keys, self.ahead = self.ahead, []
        if self.app.screen is not self and not isinstance(self.app.focused, Input):
            return  # nobody says yes to what they have not seen
        for key, character in keys:
            self.app.post_message(events.Key(key, character))

    # What the screen may show

    def mask_text(self, text: str) -> str:
        """``text`` as this screen may show it."""
        return text if self.mask is None else self.mask.text(text)

    def mask_name(self, entry: Entry) -> str:
        """What the list calls an entry; what the lab plays is nobody's."""
        return entry.name if self.mask is None or entry.kind == "demo" else self.mask.name(entry.name)

    def learn_names(self) -> None:
        """Let the mask know what is in the list."""
        if self.mask is not None:
            self.mask.learn(*(one.entry for one in self.board.sessions.values() if one.entry.kind != "demo"))

    def masked_report(self, report: Report) -> Report:
        """``report`` as this screen may show it."""
        return report if self.mask is None else self.mask.report(report)

    def masked(self, view: View) -> View:
        """``view`` as this screen may show it."""
        return view if self.mask is None else self.mask.view(view)

    def entered(self, key: str) -> None:
        """Hear that the cursor of the list is on ``key``."""
        session = self.board.of(key)
        if session is not None and not self.board.kept.knows(key):
            self.run_worker(partial(self._read, session), thread=True, group="history")

    def _read(self, session: Session) -> None:
        names = [one.entry.name for one in self.board.sessions.values()]
        self._warned(self.board.kept.read(session, alone=names.count(session.entry.name) == 1))

    # Which can be done

    def why_not(self, action_id: str) -> str | None:
        """Why a key does nothing right now; None where it does something."""
        session = self.session
        runnable = sum(one.in_force for one in self.board.sessions.values())
        stored = len(self.board.kept.rows(session.key)) if session is not None else 0
        masked = self.mask is not None
        now = Situation(session=session, runnable=runnable, stored=stored, masked=masked)
        return why_not(action_id, now)

    def action_deed(self, action_id: str) -> None:
        self.do(action_id)

    def do(self, action_id: str) -> None:
        """Do it, or say why not."""
        reason = self.why_not(action_id)
        if reason is not None:
            action = BY_ID[action_id]
            self.say(f"{key_shown(action)} {action.label}: {reason}")
            return
        self._hush()
        done: Callable[[], Awaitable[None] | None] = getattr(self, f"do_{action_id}")
        result = done()
        if result is not None:
            self.opens = True
            self.run_worker(self._done(result), exit_on_error=True, group=action_id)
        self.dirty()

    async def _done(self, doing: Awaitable[None]) -> None:
        try:
            await doing
        finally:
            self.typed_ahead()

    def _hush(self) -> None:
        """Take back what was said before, unless it was a warning that nobody had time to read."""
        if self.now() >= self._warns_until:
            self.app.clear_notifications()

    def say(self, sentence: str, *, warning: bool = False) -> None:
        """One sentence in the corner; what a server said in it is shown as it is."""
        from diagnose.display import display

        severity: Any = "warning" if warning else "information"
        self._hush()
        if warning:
            self._warns_until = self.now() + _SHOWN
        self.notify(self.mask_text(str(display(sentence))), severity=severity, markup=False, timeout=_SHOWN)

    # Runs

    # What asks takes the session now, and not when its turn comes: the cursor may be elsewhere then.

    def do_run(self) -> Awaitable[None]:
        return self._run(self.session)

    def do_run_from(self) -> Awaitable[None]:
        session = self.session
        return self._run(session, step=session.selected if session is not None else None)

    async def _run(self, session: Session | None, *, step: str | None = None) -> None:
        if session is not None and await self._allowed(session):
            self.board.run(session, step=step)
            self.dirty()

    async def _allowed(self, session: Session) -> bool:
        """Whether the next run may go; asked once for each thing that somebody must agree to."""
        consent = session.asks
        if consent is None:
            return True
        from diagnose_tui.screens.confirm import ConfirmScreen

        if self.mask is not None:
            self.say(f"{consent.question} What that means would show names: p unmasks them first.")
            return False
        question = ConfirmScreen(consent.title, consent.rows, consent.question, consent.yes)
        if await self.asks(question) is not True:
            session.watched = 0.0
            return False
        session.agreed = consent
        return True

    def do_cancel(self) -> None:
        if self.session is not None:
            self.session.watched = 0.0
            self.board.cancel(self.session)

    def do_run_all(self) -> None:
        keys = self.query_one(Connectors).visible_keys
        rows = [one for key in keys if (one := self.board.of(key)) is not None and one.in_force]
        asked = [one for one in rows if one.asks is not None]
        for session in rows:
            if not session.busy and session not in asked:
                self.board.run(session)
        if not rows:
            self.say("no row of the list is one that its client would use: r runs the selected one")
        elif asked:
            noun = "connector waits" if len(asked) == 1 else "connectors wait"
            self.say(f"{len(asked)} {noun} for your word, as what starts or is sent must be seen: r on each")

    def do_watch(self) -> None:
        session = self.session
        if session is None:
            return
        if session.watched:
            session.watched = 0.0
            self.say("no longer watched")
        else:
            session.watched = self.watch_s
            session.next_at = self.now()
            self.say(f"runs again every {self.watch_s:.0f} s; it waits while nobody looks")

    def watch_due(self) -> None:
        """Start what is due: never two at once, never while the terminal is out of sight."""
        if self.blurred or self.leaving:
            return
        for session in self.board.sessions.values():
            if session.watched and not session.busy and session.runnable and self.now() >= session.next_at:
                session.next_at = float("inf")
                self.run_worker(self._run(session), group="watch")

    def heard(self, session: Session, told: Told) -> None:
        """What follows from what a run said."""
        if isinstance(told, Refused) and session.trouble is None:
            self.say(f"{told.problem.what}: {told.problem.hint}", warning=True)
        if isinstance(told, RunFinished):
            if session.watched:
                self._plan(session, told.report)
            if session.logs_in:
                self._logged_in(session, told.report)
            else:
                self.keep(session, told.report)

    def _plan(self, session: Session, report: Report) -> None:
        if report.verdict.status in ("passed", "warned"):
            session.watched = self.watch_s
        else:  # a server that is down is asked less and less often
            session.watched = min(session.watched * 2, _SLOWEST)
        session.next_at = self.now() + session.watched

    # Looking

    def do_explain(self) -> None:
        from diagnose_tui.screens.explain import ExplainScreen

        session = self.session
        if session is None:
            return
        finding = session.finding
        code = session.trouble.code if session.trouble is not None else finding.code if finding else None
        if code is not None:
            self.app.push_screen(ExplainScreen(code))

    def do_expand(self) -> None:
        steps, session = self.query_one(StepList), self.session
        if session is not None:
            steps.expanded = steps.expanded ^ {session.selected}

    def do_all_steps(self) -> None:
        steps = self.query_one(StepList)
        steps.every = not steps.every

    def do_filter(self) -> None:
        self.show_list()
        self.query_one(Connectors).open_filter()

    def do_zoom(self) -> None:
        zoomed = self.has_class("-zoomed")
        self.show_run()
        if zoomed:
            return
        self.add_class("-zoomed")
        pane = self.query_one(Detail).pane
        if pane is not None:
            pane.focus()

    def action_back(self) -> None:
        """Leave what is open, from the inside out."""
        if self.has_class("-zoomed"):
            self.show_run()
        elif self.focused is not None and self.focused.has_focus and self._is_in_pane():
            self.set_focus(self.query_one(StepList))
        elif not self.query_one(Connectors).close_filter():
            self.show_list()

    def _is_in_pane(self) -> bool:
        return any(isinstance(one, Detail) for one in (self.focused.ancestors if self.focused else ()))

    # What becomes of a run

    def _logged_in(self, session: Session, report: Report) -> None:
        """After a login that worked, the whole run, with the login that is now stored."""
        from diagnose_tui.entries import Edited
        from diagnose_tui.person import after_login

        session.logs_in = False
        if report.step("token_validity").status not in ("passed", "warned"):
            return
        connector, options = self.board.wanted(session)
        session.edited = Edited(connector=after_login(connector), options=options)
        self.say("logged in; the whole run follows")
        self.board.run(session)

    def keep(self, session: Session, report: Report) -> None:
        """Put a report into the history, off the event loop."""
        if session.entry.kind == "connector":
            self.run_worker(partial(self._keep, session, report), thread=True, group="history")

    def _keep(self, session: Session, report: Report) -> None:
        self._warned(self.board.kept.add(session, report))

    def _warned(self, warning: str | None) -> None:
        if warning is not None:
            self.app.call_from_thread(self.say, warning, warning=True)
        self.app.call_from_thread(self.dirty)

    # The screen

    def do_freeze(self) -> None:
        self.frozen = not self.frozen
        self.redraw()

    def flags(self) -> str:
        """What the screen does beside showing a run."""
        session = self.session
        said = ["frozen: f goes on"] if self.frozen else []
        said += ["names masked"] if self.mask is not None else []
        if session is not None and session.watched:
            left = session.next_at - self.now()
            said.append(f"next run in {left:.0f} s" if 0 < left < _SLOWEST * 2 else "watched")
        return ", ".join(said)

    def do_theme(self) -> None:
        from diagnose_tui.themes import next_theme

        self.app.theme = next_theme(self.app.theme)
        self.say(f"theme {self.app.theme}")

    def do_help(self) -> None:
        from diagnose_tui.keys import ACTIONS
        from diagnose_tui.screens.help import HelpScreen, places

        rows = [(one, self.why_not(one.id)) for one in ACTIONS]
        kept = [(label, self.mask_text(place)) for label, place in places(self.board.environ)]
        self.app.push_screen(HelpScreen(rows, kept))

    async def do_quit(self) -> None:
        self.opens = False  # it opens nothing, and the next key may be a second word
        going = sum(one.busy for one in self.board.sessions.values())
        if going and not self.leaving:
            self.leaving = True
            runs = "the run" if going == 1 else f"{going} runs"
            self.say(f"closing what {runs} opened; once more leaves at once")
            await in_daemon_thread(self.board.end_runs)
        self.app.exit(0)
