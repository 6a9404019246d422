"""Work on an ``AsyncEngine`` in a greenlet, on the caller's event loop or on one of its
own.
"""

from __future__ import annotations

import asyncio
import collections.abc as c
import concurrent.futures
import contextlib
import contextvars
import functools
import inspect
import time
import typing as t

import anyio
import anyio.to_thread
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from ..apps.current import loop_is_running
from ..apps.engines import connect_beside
from ..apps.engines import for_own_loop
from ..apps.engines import listenable
from ..apps.engines import named_errors
from ..apps.engines import see_to_dialect
from ..dialects import dialect_of
from ..dialects import Interruption
from ..errors import DatabaseConnectionError
from ..migration.open_databases import OpenDatabases
from .cancelling import cursors_freed
from .cancelling import execute_beside
from .direct import Work

T = t.TypeVar("T")
#: Seconds that a cancelled task has to finish connecting.
CONNECT_GRACE = 1.0
#: Seconds that the event loop waits for what only computes, as long as between two
#: switches of threads.
PAUSE_INTERVAL = 0.005


async def run_in_greenlet(engines: dict[str, AsyncEngine], work: Work[T]) -> T:
    """Run work in a greenlet. If it is cancelled, it is told so once, however often or
    in whatever way its caller is, and the cancellation is raised when it has rolled
    back.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    interruptions: dict[str, Interruption] = {}
    connected = asyncio.Event()

    async def run() -> None:
        try:
            async with _connected(engines) as connections:
                connected.set()
                outcome.append(
                    await _run_in_greenlet(engines, connections, work, interruptions)
                )
        except asyncio.CancelledError:
            raise
        except BaseException as e:
            # Out of a task of its own, an exit would end the loop and not the caller.
            failure.append(e)
        finally:
            connected.set()

    task = asyncio.create_task(run())

    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            # Cancelled while it connects, aiosqlite would not close what it gets.
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(connected.wait(), CONNECT_GRACE)

            task.cancel()

            while not task.done():
                with contextlib.suppress(asyncio.CancelledError):
                    # A driver that has a thread waits for it.
                    await asyncio.wait([task], timeout=0.1)
                    await _interrupt(interruptions)

        raise

    if failure:
        raise failure[0]

    task.result()
    return outcome[0]


async def _interrupt(interruptions: dict[str, Interruption]) -> None:
    for interruption in interruptions.values():
        with contextlib.suppress(Exception):
            if interruption.call and inspect.isawaitable(called := interruption.call()):
                await called


@contextlib.asynccontextmanager
async def _connected(
    engines: dict[str, AsyncEngine],
) -> c.AsyncIterator[dict[str, AsyncConnection]]:
    async with contextlib.AsyncExitStack() as stack:
        connections: dict[str, AsyncConnection] = {}

        for name, engine in engines.items():
            base, options = listenable(engine.sync_engine)

            with named_errors(name, engine.url):
                connection = AsyncEngine(base).connect()
                await stack.enter_async_context(connection)
                connections[name] = await connection.execution_options(**options)

        yield connections


async def _run_in_greenlet(
    engines: dict[str, AsyncEngine],
    connections: dict[str, AsyncConnection],
    work: Work[T],
    interruptions: dict[str, Interruption],
) -> T:
    # Within the greenlet of one connection, those of the others work as well.
    first = next(iter(connections.values()))
    sync_engines = {name: engine.sync_engine for name, engine in engines.items()}

    def call(connection: sa.Connection) -> T:
        opened = {name: conn.sync_connection for name, conn in connections.items()}
        wait_for = functools.partial(_await_in_greenlet, connection)
        databases = OpenDatabases(
            t.cast("dict[str, sa.Connection]", opened),
            lambda fn: wait_for(lambda: anyio.to_thread.run_sync(fn)),
            lambda seconds: wait_for(lambda: asyncio.sleep(seconds)),
            _Pauses(wait_for).pause,
            connect_beside(sync_engines),
        )

        for name, opened_connection in databases.connections.items():
            see_to_dialect(opened_connection)
            dialect = dialect_of(opened_connection)
            interruptions[name] = dialect.interruption(opened_connection)

        try:
            return work(databases)
        except asyncio.CancelledError:
            for name, interruption in interruptions.items():
                # A statement was given up that the server may be at.
                if databases.connections[name].invalidated:
                    execute_beside(databases.connect, name, interruption.statement)

            raise
        finally:
            interruptions.clear()

    with cursors_freed():
        return await first.run_sync(call)


class _Pauses:
    """Lets the event loop run between two steps of what only computes.

    :param wait_for: Awaits what a function returns.
    """

    def __init__(self, wait_for: c.Callable[[c.Callable[[], t.Any]], object]) -> None:
        self._wait_for = wait_for
        self._last = time.perf_counter()

    def pause(self) -> None:
        if time.perf_counter() - self._last > PAUSE_INTERVAL:
            self._wait_for(lambda: asyncio.sleep(0))
            self._last = time.perf_counter()


def _await_in_greenlet(
    connection: sa.Connection, fn: c.Callable[[], c.Awaitable[t.Any]]
) -> t.Any:
    # run_async() is SQLAlchemy's public way to await from within a greenlet.
    adapted = t.cast("t.Any", connection.connection.dbapi_connection)
    return adapted.run_async(lambda _: fn())


def run_in_own_loop(engines: dict[str, AsyncEngine], work: Work[T]) -> T:
    main = run_on_copies(engines, work)

    if not loop_is_running():
        return asyncio.run(main)

    context = contextvars.copy_context()

    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        return executor.submit(context.run, asyncio.run, main).result()


async def run_on_copies(engines: dict[str, AsyncEngine], work: Work[T]) -> T:
    own = {name: for_own_loop(engine) for name, engine in engines.items()}

    try:
        return await run_in_greenlet(own, work)
    except DatabaseConnectionError:
        # The thread of aiosqlite answers once more, after it has failed.
        await asyncio.sleep(0.05)
        raise
    finally:
        for name, engine in own.items():
            if engine is not engines[name]:
                await engine.dispose()
