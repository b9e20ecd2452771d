"""Blocking calls in a daemon thread: the default executor would hold the process back at exit."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

__all__ = ["in_daemon_thread", "within"]

_T = TypeVar("_T")


async def in_daemon_thread(work: Callable[[], _T]) -> _T:
    """Run ``work`` and wait for it; a cancelled wait leaves the thread to die with the process.

    ``loop.run_in_executor`` and ``asyncio.to_thread`` join their threads when the loop closes, so that a
    hung ``getaddrinfo`` outlives every deadline (python/cpython#112169).
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def deliver(set_outcome: Callable[[], None]) -> None:
        if not future.done():
            set_outcome()

    def run() -> None:
        try:
            value = work()
        except BaseException as problem:  # it is raised again in the waiting task
            _post(loop, deliver, partial(future.set_exception, problem))
        else:
            _post(loop, deliver, partial(future.set_result, value))

    threading.Thread(target=run, daemon=True, name="diagnose-blocking").start()
    return await future


def _post(
    loop: asyncio.AbstractEventLoop,
    deliver: Callable[[Callable[[], None]], None],
    outcome: Callable[[], None],
) -> None:
    try:
        loop.call_soon_threadsafe(deliver, outcome)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


def within(seconds: float, work: Callable[[], _T]) -> _T:
    """Run ``work`` and wait ``seconds`` at most, where no loop runs. Raises TimeoutError, and its own."""
    done: queue.SimpleQueue[tuple[_T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as problem:  # it is raised again in the waiting thread
            done.put((None, problem))

    threading.Thread(target=run, daemon=True, name="diagnose-blocking").start()
    try:
        value, problem = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if problem is not None:
        raise problem
    return value  # type: ignore[return-value]  # without a problem it is what the work returned
