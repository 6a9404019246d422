from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import Self

from sqlalchemy import URL

from .base import free_port
from .base import Server


class SilentRouter:
    """A router that forgets connections, as firewalls and balancers in clouds do.

    Of a connection that was idle it forwards nothing any more, in both directions. It
    tells nobody: it closes nothing, and what is sent to it is acknowledged.

    :param server: A server that runs.
    :param idle: After how many seconds without a byte a connection is forgotten.
    """

    host = "127.0.0.1"

    def __init__(self, server: Server, idle: float = 5.0) -> None:
        self.port = free_port()
        self._server = server
        self._idle = idle
        self._routes: list[_Route] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._runs = threading.Event()

    @classmethod
    def missing(cls) -> str | None:
        return None

    def url(self, url: URL) -> URL:
        """The address of a database of the server through this."""
        return url.set(port=self.port)

    @property
    def forgotten(self) -> int:
        """How many connections are forgotten."""
        return sum(route.forgotten for route in self._routes)

    def forget(self) -> None:
        """Forget all connections that are open."""
        for route in self._routes:
            route.idle = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._runs.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        tasks = set[asyncio.Task[None]]()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._forward(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, self.host, self.port)
        self._runs.set()
        await self._stop.wait()
        server.close()

        for task in tasks:
            task.cancel()

        await asyncio.gather(*tasks, return_exceptions=True)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there = (self._server.host, self._server.port)

        try:
            far_reader, far_writer = await asyncio.open_connection(*there)
        except OSError:
            writer.transport.abort()
            return

        route = _Route(self._idle)
        self._routes.append(route)

        try:
            await asyncio.gather(
                route.pump(reader, far_writer), route.pump(far_reader, writer)
            )
        finally:
            writer.transport.abort()
            far_writer.transport.abort()


class _Route:
    """One connection."""

    def __init__(self, idle: float) -> None:
        self.idle = idle
        self._last = time.monotonic()
        self._ended = False

    @property
    def forgotten(self) -> bool:
        return not self._ended and time.monotonic() - self._last >= self.idle

    async def pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward one direction, to its end."""
        data = b"any"

        while data:
            # An end that is not in order is one as well.
            with suppress(ConnectionError):
                data = b""
                data = await reader.read(65536)

            if self.forgotten:
                # Whoever ends a connection that is forgotten ends only this side.
                self.idle = 0
                await asyncio.Event().wait()

            self._last = time.monotonic()
            writer.write(data)

        self._ended = True
        writer.transport.close()
