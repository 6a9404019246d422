"""Run work with an ``AsyncEngine`` in a greenlet, on the caller's event loop or on its
own loop.
"""

from __future__ import annotations

import asyncio
import collections.abc as c
import contextlib
import functools
import inspect
import time
import typing as t

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from ..apps.engines import is_single_connection
from ..apps.engines import needs_own_pool
from ..apps.engines import own_arguments
from ..apps.engines import prepare_connection
from ..apps.engines import replace_connections
from ..apps.engines import resolve_option_engine
from ..apps.engines import with_own_pool
from ..apps.engines import wrap_connection_errors
from ..dialects import dialect_of
from ..dialects import Interruption
from ..errors import DatabaseConnectionError
from ..migration.open_databases import OpenDatabases
from .background import can_idle_out
from .background import KEEPALIVE_INTERVAL
from .background import ping
from .background import repeated_in_thread
from .cancelling import release_cursors
from .direct import Work
from .out_of_band import execute_out_of_band
from .out_of_band import out_of_band_connector
from .receivers import awaited
from .receivers import run_coroutine
from .time_limit import TimeLimit
from .worker_threads import run_in_worker_thread

T = t.TypeVar("T")
#: How long a cancelled task may take to finish connecting, in seconds.
CONNECT_GRACE = 1.0
#: How long computing may block the event loop, in seconds; as long as Python's thread
#: switch interval.
PAUSE_INTERVAL = 0.005


async def run_in_greenlet(
    engines: dict[str, AsyncEngine], work: Work[T], own_connections: bool
) -> T:
    """Run work in a greenlet. However often the caller is cancelled, the work is
    cancelled once, and the cancellation is raised after the work is rolled back.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    interruptions: dict[str, Interruption] = {}
    connected = asyncio.Event()
    time_limit = TimeLimit(asyncio.get_running_loop().call_later)

    async def run() -> None:
        try:
            async with _open_connections(engines, own_connections) as connections:
                connected.set()

                try:
                    outcome.append(
                        await _run_in_greenlet(
                            engines, connections, work, interruptions, time_limit
                        )
                    )
                finally:
                    time_limit.start()
        except asyncio.CancelledError:
            raise
        except BaseException as e:
            # SystemExit in a task would stop the loop, but not reach the caller.
            failure.append(e)
        finally:
            time_limit.stop()
            connected.set()

    task = asyncio.create_task(run())

    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        import anyio

        # One of anyio's scopes would cancel again and again.
        with anyio.CancelScope(shield=True):
            # aiosqlite does not close a connection if it is cancelled while connecting.
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(connected.wait(), CONNECT_GRACE)

            task.cancel()
            time_limit.start()

            while not task.done():
                with contextlib.suppress(asyncio.CancelledError):
                    # A driver with its own thread waits for that thread's statement.
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
async def _open_connections(
    engines: dict[str, AsyncEngine], own_connections: bool
) -> c.AsyncIterator[dict[str, AsyncConnection]]:
    async with contextlib.AsyncExitStack() as stack:
        connections: dict[str, AsyncConnection] = {}

        for name, engine in engines.items():
            if own_connections and needs_own_pool(engine):
                engine = AsyncEngine(with_own_pool(engine.sync_engine))
                stack.push_async_callback(engine.dispose)

            base, options = resolve_option_engine(engine.sync_engine)

            with (
                wrap_connection_errors(name, engine.url),
                own_arguments(base, own_connections),
            ):
                connection = AsyncEngine(base).connect()
                await stack.enter_async_context(connection)
                connections[name] = await connection.execution_options(**options)

        yield connections


async def _run_in_greenlet(
    engines: dict[str, AsyncEngine],
    connections: dict[str, AsyncConnection],
    work: Work[T],
    interruptions: dict[str, Interruption],
    time_limit: TimeLimit,
) -> T:
    # All connections work in the greenlet of one of them.
    first = next(iter(connections.values()))
    sync_engines = {name: engine.sync_engine for name, engine in engines.items()}

    def call(connection: sa.Connection) -> T:
        opened = {name: conn.sync_connection for name, conn in connections.items()}
        # Even where the connection is lost later.
        adapted = t.cast("t.Any", connection.connection.dbapi_connection)
        wait_for = functools.partial(_await_in_greenlet, adapted)
        databases = OpenDatabases(
            t.cast("dict[str, sa.Connection]", opened),
            offload=lambda fn: wait_for(lambda: run_in_worker_thread(fn)),
            sleep=lambda seconds: wait_for(lambda: asyncio.sleep(seconds)),
            pause=_Pauser(wait_for).pause,
            wait_for=lambda awaitable: wait_for(lambda: awaited(awaitable)),
            connect=out_of_band_connector(sync_engines, time_limit),
            kept_alive=lambda names: _kept_alive(
                [connections[name] for name in names], wait_for
            ),
            repeated=functools.partial(_repeated, engines),
            on_change=lambda names: replace_connections(
                [sync_engines[name] for name in names]
            ),
            private=[
                n for n, engine in engines.items() if is_single_connection(engine)
            ],
            time_limit=time_limit,
        )

        for name, opened_connection in databases.connections.items():
            prepare_connection(opened_connection)
            dialect = dialect_of(opened_connection)
            interruptions[name] = dialect.interruption(opened_connection)
            time_limit.add(opened_connection)

        try:
            return work(databases)
        except asyncio.CancelledError:
            for name, interruption in interruptions.items():
                # The server may still be executing the cancelled statement.
                if databases.connections[name].invalidated:
                    execute_out_of_band(databases.connect, name, interruption.statement)

            raise
        finally:
            interruptions.clear()

    with release_cursors():
        return await first.run_sync(call)


class _Pauser:
    """Lets the event loop run now and then during a long computation.

    :param wait_for: Calls a function and awaits its result.
    """

    def __init__(self, wait_for: c.Callable[[c.Callable[[], t.Any]], object]) -> None:
        self._wait_for = wait_for
        self._last = time.perf_counter()

    def pause(self) -> None:
        if time.perf_counter() - self._last > PAUSE_INTERVAL:
            self._wait_for(lambda: asyncio.sleep(0))
            self._last = time.perf_counter()


def _await_in_greenlet(adapted: t.Any, fn: c.Callable[[], c.Awaitable[t.Any]]) -> t.Any:
    # run_async() is SQLAlchemy's public way to await inside a greenlet.
    return adapted.run_async(lambda _: fn())


@contextlib.contextmanager
def _kept_alive(
    connections: c.Iterable[AsyncConnection],
    wait_for: c.Callable[[c.Callable[[], t.Any]], object],
) -> c.Iterator[None]:
    idle = [
        connection
        for connection in connections
        if can_idle_out(t.cast("sa.Connection", connection.sync_connection))
    ]

    if not idle:
        yield
        return

    ended = asyncio.Event()

    async def ping_all() -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), KEEPALIVE_INTERVAL)
                return

            for connection in idle:
                await connection.run_sync(ping)

    task = asyncio.create_task(ping_all())

    try:
        yield
    finally:
        ended.set()
        # A cancelled ping would leave its connection in the middle of a statement.
        wait_for(lambda: asyncio.wait([task]))


def _repeated(
    engines: dict[str, AsyncEngine],
    name: str,
    fn: c.Callable[[sa.Connection], None],
    interval: float,
) -> contextlib.AbstractContextManager[None]:
    def call() -> None:
        # The loop of the work may be busy.
        run_in_own_loop(
            {name: engines[name]}, lambda opened: fn(opened.connections[name])
        )

    return repeated_in_thread(call, interval)


def run_in_own_loop(engines: dict[str, AsyncEngine], work: Work[T]) -> T:
    return run_coroutine(run_in_new_loop(engines, work))


async def run_in_new_loop(engines: dict[str, AsyncEngine], work: Work[T]) -> T:
    """Run work in a loop that is closed afterwards. The connections of the engines'
    pools belong to other loops.
    """
    try:
        return await run_in_greenlet(engines, work, own_connections=True)
    except DatabaseConnectionError:
        # aiosqlite's thread calls back once more after the connection failed, and the
        # loop must still be open.
        await asyncio.sleep(0.05)
        raise
