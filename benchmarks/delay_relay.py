"""A TCP relay that holds every byte back for half a round trip, in each direction.

It emulates distance for everything but the TCP handshake, which the kernel completes by itself; whoever
computes a floor leaves that one round trip out.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

__all__ = ["DelayRelay"]


class DelayRelay:
    """Listens on a port of its own and forwards to ``host:port``; ``round_trip`` is in seconds."""

    def __init__(self, host: str, port: int, *, round_trip: float) -> None:
        self._target = (host, port)
        self._delay = round_trip / 2
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def __enter__(self) -> DelayRelay:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._accept, "127.0.0.1", 0), self._loop
        ).result()
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.create_task(self._deliver(on_the_way, writer))
        while True:
            try:
                chunk = await reader.read(65536)
            except ConnectionError:
                chunk = b""
            on_the_way.put_nowait((self._loop.time() + self._delay, chunk))
            if not chunk:
                break
        await delivery

    async def _deliver(
        self, on_the_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            due, chunk = await on_the_way.get()
            await asyncio.sleep(max(due - self._loop.time(), 0))
            if not chunk:
                writer.close()
                return
            writer.write(chunk)
