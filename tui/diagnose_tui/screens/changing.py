"""What the keys change for the next run: the target, its options, the tool, the login."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from diagnose_tui.discovering import typed_entry
from diagnose_tui.entries import Edited
from diagnose_tui.screens.deeds import Deeds

if TYPE_CHECKING:
    from diagnose.connector import Connector
    from diagnose_tui.screens.tool import ToolChoice
    from diagnose_tui.session import Session

__all__ = ["Changing"]


class Changing(Deeds):
    """The actions of the group Change."""

    async def do_new_target(self) -> None:
        await self.new_target()

    async def new_target(self, typed: str = "") -> None:
        """Ask for a URL or a command, ``typed`` to begin with, and diagnose it."""
        from diagnose_tui.screens.target import TargetScreen

        connector = await self.asks(TargetScreen(typed))
        if connector is None:
            return
        entry = typed_entry(connector, self.board.options, key=f"typed{len(self.board.sessions)}")
        self.board.add((entry,), first=True)
        self.learn_names()
        self.enter(entry.key)
        await self._run(self.board.of(entry.key))

    def do_edit(self) -> Awaitable[None]:
        return self._edit(self.session)

    async def _edit(self, session: Session | None) -> None:
        from diagnose_tui.screens.edit import EditScreen

        if session is None:
            return
        connector, options = self.board.wanted(session)
        environ = session.entry.environ or self.board.environ
        edited = await self.asks(EditScreen(connector, options, session.tools, environ))
        if edited is None:
            return
        before = Edited(connector=connector, options=options)
        session.edited = await self._with_agreed_tool(session, before, edited)
        await self._run(session)

    async def _with_agreed_tool(self, session: Session, before: Edited, after: Edited) -> Edited:
        """``after``, with its tool only where that may be called: a yes holds for one server and one call."""
        from diagnose_tui.screens.tool import ToolChoice

        moved = before.connector.transport != after.connector.transport
        old, new = before.options, after.options
        confirmed = frozenset[str]() if moved else new.confirmed_tools
        if new.tool is None or (not moved and (new.tool, new.arguments) == (old.tool, old.arguments)):
            return replace(after, options=replace(new, confirmed_tools=confirmed))
        listed = () if moved else (one for one in session.tools if isinstance(one, dict))
        entry = next((one for one in listed if one.get("name") == new.tool), {})
        choice = ToolChoice(name=new.tool, arguments=new.arguments, tool=entry)
        allowed = await self._allowed_tools(session, after.connector, choice)
        if allowed is None:
            self.say(f"{new.tool} is not called; the other changes are in use")
            kept = (None, {}) if moved else (old.tool, old.arguments)
            new, allowed = replace(new, tool=kept[0], arguments=kept[1]), frozenset()
        return replace(after, options=replace(new, confirmed_tools=confirmed | allowed))

    def do_tool(self) -> Awaitable[None]:
        return self._pick_tool(self.session)

    async def _pick_tool(self, session: Session | None) -> None:
        from diagnose_tui.screens.tool import ToolScreen

        if session is None:
            return
        connector, options = self.board.wanted(session)
        screen = ToolScreen(session.tools, connector.tools, options, session.refused_tools)
        choice = await self.asks(screen)
        allowed = await self._allowed_tools(session, connector, choice) if choice is not None else None
        if choice is None or allowed is None:
            return
        changed = replace(
            options,
            sample="auto",
            tool=choice.name,
            arguments=choice.arguments,
            confirmed_tools=options.confirmed_tools | allowed,
        )
        session.edited = Edited(connector=connector, options=changed)
        await self._run(session, step="sample_call" if self.board.resumable(session, "sample_call") else None)

    async def _allowed_tools(
        self, session: Session, connector: Connector, choice: ToolChoice
    ) -> frozenset[str] | None:
        """The tools that somebody allows with ``choice``; None where the answer is no."""
        from diagnose_tui.screens.tool import confirmation

        question = confirmation(choice, connector.tools)
        if question is None or choice.name is None:
            return frozenset()
        if await self.asks(question) is not True:
            return None
        session.watched = 0.0  # the yes is for one call, and not for one every so many seconds
        return frozenset({choice.name})

    def do_log_in(self) -> None:
        from diagnose_tui.person import ScreenPerson

        session = self.session
        if session is not None:
            person = ScreenPerson(self.app, partial(self.board.cancel, session))
            session.logs_in = True
            self.board.run(session, person=person)
