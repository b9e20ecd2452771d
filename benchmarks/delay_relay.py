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
        self._server: asyncio.Server | None = None
        self.port = 0

    def __enter__(self) -> DelayRelay:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._accept, "127.0.0.1", 0), self._loop
        ).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._let_go(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _let_go(self) -> None:
        assert self._server is not None
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer))
                both.create_task(self._carry(far_reader, writer))
        except asyncio.CancelledError:
            return  # the relay is let go
        finally:
            writer.close()
            far_writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        async with asyncio.TaskGroup() as carrying:
            carrying.create_task(self._deliver(on_the_way, writer))
            chunk = b"to begin with"
            while chunk:
                try:
                    chunk = await reader.read(65536)
                except ConnectionError:
                    chunk = b""
                on_the_way.put_nowait((self._loop.time() + self._delay, chunk))

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
