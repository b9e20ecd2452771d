"""The runs, on an event loop in a thread of their own.

What a check computes (schemas of 5,000 tools), what it imports (``mcp`` takes a second) and what it waits for
(a keyring) never holds up the screen; and a screen that is busy never makes a server look slow.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from diagnose.events import Event, StepFinished
from diagnose.records import record
from diagnose.wire.threads import in_daemon_thread

if TYPE_CHECKING:
    from diagnose.model import Exchange, Problem
    from diagnose.pipeline import Run

__all__ = ["AT_ONCE", "Began", "Listed", "Refused", "Seen", "Stopped", "Told", "Walks"]

AT_ONCE = 8
"""Runs side by side: enough to hide waiting, few enough that none waits for another's work."""
_TICK = 0.25
"""Seconds between two looks at the exchanges of a step that takes longer than that."""


@record
class Began:
    """A run starts; it waited until its turn came."""

    run: Run


@record
class Seen:
    """The exchanges of one step, as far as they are."""

    step: str
    exchanges: Sequence[Exchange]


@record
class Listed:
    """The raw tools of step 9, redacted."""

    tools: Sequence[Any]


@record
class Refused:
    """Nothing was started: what is wrong, and what to change."""

    problem: Problem


@record
class Stopped:
    """It was taken back before its turn came."""


Told = Began | Event | Seen | Listed | Refused | Stopped


class Walks:
    """Runs by key. ``told`` is called in the thread of the runs and must be safe there.

    One run at a time for each key: a second one waits for the first.
    """

    def __init__(self, told: Callable[[str, Told], object], *, at_once: int = AT_ONCE) -> None:
        self._told = told
        self._at_once = at_once
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="diagnose-runs", daemon=True)
        self._gate: asyncio.Semaphore | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._going: dict[str, tuple[asyncio.Task[None] | None, Run]] = {}
        self._thread.start()

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def submit(self, key: str, prepare: Callable[[], Run]) -> None:
        """Walk what ``prepare`` gives, when its turn has come. ``prepare`` may block and raise UsageError."""
        self._loop.call_soon_threadsafe(self._submit, key, prepare)

    def _submit(self, key: str, prepare: Callable[[], Run]) -> None:
        before = self._tasks.get(key)
        task = self._loop.create_task(self._walk(key, prepare, before))
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._over(key, done))

    def _over(self, key: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    def cancel(self, key: str) -> None:
        """End the run of ``key``: its teardown happens, and its report comes all the same."""
        self._loop.call_soon_threadsafe(self._cancel, key)

    def _cancel(self, key: str) -> None:
        going, task = self._going.get(key), self._tasks.get(key)
        if going is not None:
            going[1].interrupt()
        if task is not None and (going is None or task is not going[0]):
            task.cancel()  # it still waits

    @property
    def alive(self) -> bool:
        """Whether the thread of the runs is there."""
        return self._thread.is_alive()

    def end_runs(self, within: float) -> None:
        """End every run, and wait for their teardowns; blocks ``within`` seconds at most."""
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._end_runs(), self._loop).result(within)

    def close(self, within: float) -> None:
        """End every run and the thread; blocks ``within`` seconds at most. No process stays behind."""
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._drain(), self._loop).result(within)
        processes = sys.modules.get("diagnose.wire.process")
        if processes is not None:
            processes.kill_remaining()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=1.0)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end_runs(self) -> None:
        tasks = list(self._tasks.values())
        for key in list(self._tasks):
            self._cancel(key)
        if tasks:
            await asyncio.wait(tasks)

    async def _drain(self) -> None:
        await self._end_runs()
        # What a check left to a task of its own (a connection being closed) ends with the loop.
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _walk(self, key: str, prepare: Callable[[], Run], before: asyncio.Task[None] | None) -> None:
        self._gate = self._gate or asyncio.Semaphore(self._at_once)
        try:
            if before is not None:
                await asyncio.wait((before,))
            async with self._gate:
                await self._walk_now(key, prepare)
        except asyncio.CancelledError:
            self._told(key, Stopped())
            raise

    async def _walk_now(self, key: str, prepare: Callable[[], Run]) -> None:
        from diagnose.errors import UsageError
        from diagnose.reporting import problem_of

        try:
            run = await in_daemon_thread(prepare)
            self._going[key] = (asyncio.current_task(), run)
            self._told(key, Began(run=run))
            await self._events(key, run)
        except UsageError as problem:
            self._told(key, Refused(problem=problem_of(problem)))
        except Exception as problem:  # our own bug costs this run, and not the app
            self._told(key, Refused(problem=_bug(problem)))
        finally:
            self._going.pop(key, None)

    async def _events(self, key: str, run: Run) -> None:
        watching = self._loop.create_task(self._watch(key, run))
        try:
            async with aclosing(run.events()) as events:
                async for event in events:
                    if isinstance(event, StepFinished):
                        self._told(
                            key, Seen(step=event.result.id, exchanges=run.exchanges_of(event.result.id))
                        )
                        if event.result.id == "list_tools":
                            # Cleaned here, once: thousands of tools would take a screen half a second.
                            tools: list[Any] = await in_daemon_thread(partial(list, run.tools()))
                            self._told(key, Listed(tools=tools))
                    self._told(key, event)
        finally:
            watching.cancel()

    async def _watch(self, key: str, run: Run) -> None:
        """Show what a step waits for, while it waits."""
        while True:
            await asyncio.sleep(_TICK)
            step = run.ctx.step_id
            if step:
                self._told(key, Seen(step=step, exchanges=run.exchanges_of(step)))


def _bug(problem: Exception) -> Problem:
    import traceback

    from diagnose.model import Problem

    frames = traceback.extract_tb(problem.__traceback__)
    place = f"{frames[-1].filename.replace(chr(92), '/').rpartition('/')[2]}:{frames[-1].lineno}"
    what = f"internal error: {type(problem).__name__} at {place}"
    hint = "this is a fault of diagnose and says nothing about the connector"
    return Problem(code="BUG001", name="bug.internal-error", severity="error", what=what, hint=hint)
