"""What the keys keep and take out of the app: the clipboard, files, earlier runs, and the mask before all."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

from diagnose.errors import UsageError
from diagnose.wire.threads import in_daemon_thread
from diagnose_tui.screens.changing import Changing
from diagnose_tui.widgets.detail import Detail

if TYPE_CHECKING:
    from diagnose.model import Report
    from diagnose_tui.exports import Wanted
    from diagnose_tui.session import Session

__all__ = ["Taking"]


class Taking(Changing):
    """The actions of the group Keep."""

    def do_privacy(self) -> None:
        from diagnose_tui.privacy import Mask

        if self.mask is not None:
            self.mask = None
        else:
            self.mask = Mask()
            self.learn_names()
        self.redraw()

    def do_diff(self) -> None:
        session = self.session
        if session is None or session.report is None:
            return
        if session.before is not None and session.report is session.last:
            self._compare(session.before, session.report)
        else:
            self.run_worker(self._compare_kept(session.report), group="history")

    async def _compare_kept(self, after: Report) -> None:
        try:
            before = await in_daemon_thread(partial(self.board.kept.previous, after))
        except UsageError as problem:
            self.say(str(problem), warning=True)
            return
        if before is None:
            self.say("there is no earlier run")
        else:
            self._compare(before, after)

    def _compare(self, before: Report, after: Report) -> None:
        from diagnose_tui.screens.compare import CompareScreen

        pair = self.masked_report(before), self.masked_report(after)
        self.app.push_screen(CompareScreen(*pair, self.glyphs))

    def do_history(self) -> Awaitable[None]:
        return self._history(self.session)

    async def _history(self, session: Session | None) -> None:
        from diagnose_tui.screens.history import HistoryScreen

        if session is None:
            return
        rows = self.board.kept.rows(session.key)
        name, kept = self.mask_name(session.entry), self.board.kept.report
        screen = HistoryScreen(name, rows, kept, self.glyphs, self.masked_report, self.calendar)
        report = await self.asks(screen)
        if report is not None:
            self._show_earlier(session, report)

    def _show_earlier(self, session: Session, report: Report) -> None:
        if session.busy:
            self.say("a run goes on meanwhile: c ends it, then an earlier one can be shown")
            return
        session.watched = 0.0  # the next run would take it away again
        session.show_earlier(report)
        self.redraw()

    async def open_kept(self, run_id: str) -> None:
        """Show a run of the history in place of the last one."""
        session = self.session
        if session is None:
            return
        try:
            report = await in_daemon_thread(partial(self.board.kept.report, run_id))
        except UsageError as problem:
            self.say(str(problem), warning=True)
            return
        self._show_earlier(session, report)

    async def compare_kept(self, before_id: str, after_id: str) -> None:
        """Show what changed between two runs of the history."""
        try:
            before = await in_daemon_thread(partial(self.board.kept.report, before_id))
            after = await in_daemon_thread(partial(self.board.kept.report, after_id))
        except UsageError as problem:
            self.say(str(problem), warning=True)
            return
        self._compare(before, after)

    async def do_copy(self) -> None:
        from diagnose_tui.exports import copied
        from diagnose_tui.screens.copying import WRITE_A_FILE, CopyScreen

        shown = getattr(self.query_one(Detail).pane, "text", "")
        text = await self.asks(CopyScreen(self.view(), shown))
        if text == WRITE_A_FILE:
            self.do("export")
        elif text is not None:
            self.app.copy_to_clipboard(text)
            self.say(copied(text))

    async def do_export(self) -> None:
        from diagnose_tui.screens.exporting import ExportScreen

        view = self.view()
        if view.report is None:
            return
        picture = self.app.export_screenshot(title="Connector Diagnose")  # before the question covers it
        wanted = await self.asks(ExportScreen(view.report, self.glyphs))
        if wanted is None:
            return
        work = partial(self._write, wanted, view.report, picture)
        self.run_worker(work, thread=True, group="export")

    def _write(self, wanted: Wanted, report: Report, picture: str) -> None:
        from diagnose_tui.exports import export_text, write_export

        text = picture if wanted.format == "svg" else export_text(report, wanted.format)
        try:
            write_export(wanted.path, text, replace=wanted.replace)
        except UsageError as problem:
            self.app.call_from_thread(self.say, str(problem), warning=True)
        else:
            self.app.call_from_thread(self.say, f"written: {wanted.path}")
