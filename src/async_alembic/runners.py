"""The four ways to run synchronous work with open connections.

The kind of the engines picks the way, never the caller's context: an ``Engine`` works
in a thread, an ``AsyncEngine`` in a greenlet. Here are engines and event loops, and
neither Alembic nor a framework.
"""

from __future__ import annotations

import asyncio
import collections.abc as c
import concurrent.futures
import contextlib
import contextvars
import copy
import re
import threading
import traceback
import typing as t

import anyio
import anyio.to_thread
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import SingletonThreadPool
from sqlalchemy.pool import StaticPool

from .errors import DatabaseConnectionError

T = t.TypeVar("T")
Engines: t.TypeAlias = "dict[str, sa.Engine] | dict[str, AsyncEngine]"
Offload: t.TypeAlias = c.Callable[[c.Callable[[], t.Any]], t.Any]
Work: t.TypeAlias = c.Callable[[dict[str, sa.Connection], Offload], T]
_refuses_listeners = re.match(r"2\.0\.[123]\d\b", sa.__version__) is not None
#: Pools of one connection, or of one for each thread.
BOUND_POOLS = (SingletonThreadPool, StaticPool)


async def run_awaited(engines: Engines, work: Work[T]) -> T:
    """Run work from a coroutine, without blocking its event loop.

    :param engines: The engine of each database, by its name; all of one kind.
    :param work: Called with an open connection to each database, and with a function
        that calls others which read or write files.
    :return: What the work returned.
    :raises DatabaseConnectionError: If a database cannot be connected to.
    """
    if are_async(engines):
        return await run_in_greenlet(engines, work)

    engines = t.cast("dict[str, sa.Engine]", engines)

    if any(_is_bound(engine) for engine in engines.values()):
        # The connection cannot leave this thread, and has no network to wait for.
        return run_directly(engines, work)

    return await run_in_thread(engines, work)


def run_blocking(engines: Engines, work: Work[T]) -> T:
    """Run work, and return when it is done.

    :param engines: The engine of each database, by its name; all of one kind.
    :param work: See :func:`run_awaited`.
    :return: What the work returned.
    :raises DatabaseConnectionError: If a database cannot be connected to.
    """
    if are_async(engines):
        return run_in_own_loop(engines, work)

    return run_directly(t.cast("dict[str, sa.Engine]", engines), work)


def run_directly(engines: dict[str, sa.Engine], work: Work[T]) -> T:
    with contextlib.ExitStack() as stack:
        return work(connect_all(engines, stack), call_here)


def connect_all(
    engines: dict[str, sa.Engine], stack: contextlib.ExitStack
) -> dict[str, sa.Connection]:
    """Connect to each database.

    :param engines: The engine of each database, by its name.
    :param stack: Closes the connections.
    :raises DatabaseConnectionError: If a database cannot be connected to.
    """
    connections = {}

    for name, engine in engines.items():
        base, options = _listenable(engine)

        with _named_errors(name, engine.url):
            connection = stack.enter_context(base.connect())
            connections[name] = connection.execution_options(**options)

    return connections


def call_here(fn: c.Callable[[], T]) -> T:
    """Call a function that reads or writes files, where blocking is no harm."""
    return fn()


async def run_in_thread(engines: dict[str, sa.Engine], work: Work[T]) -> T:
    """Run work in a worker thread. If it is cancelled, it stops before its next
    statement and rolls back, and the cancellation is raised when the thread is done.
    """
    cancelled = threading.Event()
    finished = anyio.Event()
    outcome: list[T] = []
    failure: list[BaseException] = []

    def stop_if_cancelled(*args: object) -> None:
        if cancelled.is_set():
            raise _Cancelled

    def watched(connections: dict[str, sa.Connection], offload: Offload) -> T:
        for connection in connections.values():
            event.listen(connection, "before_cursor_execute", stop_if_cancelled)
            event.listen(connection, "commit", stop_if_cancelled)

        return work(connections, offload)

    async def run() -> None:
        try:
            outcome.append(
                await anyio.to_thread.run_sync(run_directly, engines, watched)
            )
        except (Exception, _Cancelled) as e:
            failure.append(e)
        finally:
            finished.set()

    # Awaiting the thread itself would return at a task's cancel() while it goes on; a
    # task group waits for it.
    async with anyio.create_task_group() as group:
        group.start_soon(run)

        try:
            await finished.wait()
        except BaseException:
            cancelled.set()
            raise

    if failure:
        raise failure[0]

    return outcome[0]


class _Cancelled(BaseException):
    """Ends work whose caller was cancelled; no ``except Exception`` can hold it."""


async def run_in_greenlet(engines: dict[str, AsyncEngine], work: Work[T]) -> T:
    async with contextlib.AsyncExitStack() as stack:
        connections: dict[str, AsyncConnection] = {}

        for name, engine in engines.items():
            base, options = _listenable(engine.sync_engine)

            with _named_errors(name, engine.url):
                connection = AsyncEngine(base).connect()
                await stack.enter_async_context(connection)
                connections[name] = await connection.execution_options(**options)

        # Within the greenlet of one connection, those of the others work as well.
        first = next(iter(connections.values()))

        def call(connection: sa.Connection) -> T:
            opened = {name: conn.sync_connection for name, conn in connections.items()}
            return work(
                t.cast("dict[str, sa.Connection]", opened),
                lambda fn: _in_thread_from_greenlet(connection, fn),
            )

        try:
            return await first.run_sync(call)
        except asyncio.CancelledError as e:
            # The frames can hold a cursor in the middle of its rows, with which SQLite
            # keeps its lock after the connection was closed.
            traceback.clear_frames(e.__traceback__)
            raise


def run_in_own_loop(engines: dict[str, AsyncEngine], work: Work[T]) -> T:
    async def main() -> T:
        own = {name: _for_own_loop(engine) for name, engine in engines.items()}

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

    if not loop_is_running():
        return asyncio.run(main())

    context = contextvars.copy_context()

    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        return executor.submit(context.run, asyncio.run, main()).result()


def loop_is_running() -> bool:
    """Whether an event loop runs in this thread, which a blocking call would stall."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False

    return True


def are_async(engines: Engines) -> t.TypeGuard[dict[str, AsyncEngine]]:
    """Whether the engines are async; they are all of one kind."""
    return any(isinstance(engine, AsyncEngine) for engine in engines.values())


def _is_bound(engine: sa.Engine | AsyncEngine) -> bool:
    """Whether an engine has one connection, or one a thread, such as SQLite's in-memory
    databases, which are gone with it.
    """
    return isinstance(engine.pool, BOUND_POOLS)


def _for_own_loop(engine: AsyncEngine) -> AsyncEngine:
    """The same engine with a pool of its own, so that no connection is ever used in a
    loop that it was not made in.
    """
    if _is_bound(engine):
        return engine

    return AsyncEngine(_with_own_pool(engine.sync_engine))


def _with_own_pool(engine: sa.Engine) -> sa.Engine:
    # A copy, as an engine made anew would lack the events and settings of this one.
    own = copy.copy(engine)
    # What Engine.execution_options() returns takes its pool from another engine.
    parent = getattr(engine, "_proxied", None)

    if parent is not None:
        own._proxied = _with_own_pool(parent)  # type: ignore[attr-defined]
    else:
        own.pool = engine.pool.recreate()

    return own


def _listenable(engine: sa.Engine) -> tuple[sa.Engine, dict[str, t.Any]]:
    """The engine to connect with so that the connection takes listeners, and the
    options that the connection lacks then.

    Before 2.0.40, SQLAlchemy refuses them where ``Engine.execution_options()`` made the
    engine.
    """
    options: dict[str, t.Any] = {}

    if _refuses_listeners:
        while (parent := getattr(engine, "_proxied", None)) is not None:
            options = {**engine.get_execution_options(), **options}
            engine = parent

    return engine, options


def _in_thread_from_greenlet(
    connection: sa.Connection, fn: c.Callable[[], t.Any]
) -> t.Any:
    # run_async() is SQLAlchemy's public way to await from within a greenlet.
    adapted = t.cast("t.Any", connection.connection.dbapi_connection)
    return adapted.run_async(lambda _: anyio.to_thread.run_sync(fn))


@contextlib.contextmanager
def _named_errors(name: str, url: sa.URL) -> c.Iterator[None]:
    try:
        yield
    except Exception as e:
        raise DatabaseConnectionError(name, url, e) from e
