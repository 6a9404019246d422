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
import functools
import inspect
import threading
import time
import traceback
import typing as t

import anyio
import anyio.to_thread
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from .access import Access
from .dialects import dialect_of
from .dialects import Interruption
from .engines import are_async
from .engines import connect_beside
from .engines import Engines
from .engines import for_own_loop
from .engines import is_bound
from .engines import listenable
from .engines import named_errors
from .engines import see_to_dialect
from .errors import DatabaseConnectionError

T = t.TypeVar("T")
Work: t.TypeAlias = c.Callable[[Access], T]


async def run_awaited(engines: Engines, work: Work[T]) -> T:
    """Run work from a coroutine, without blocking its event loop.

    :param engines: The engine of each database, by its name; all of one kind.
    :param work: Called with the open databases.
    :return: What the work returned.
    :raises DatabaseConnectionError: If a database cannot be connected to.
    """
    if are_async(engines):
        return await run_in_greenlet(engines, work)

    engines = t.cast("dict[str, sa.Engine]", engines)

    if any(is_bound(engine) for engine in engines.values()):
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


def run_interruptibly(engines: Engines, work: Work[T]) -> T:
    """Run work as :func:`run_blocking` does, so that Ctrl-C ends it at once, also in
    the middle of a statement whose driver would not listen.

    :raises KeyboardInterrupt: When what was begun has been rolled back.
    """
    if are_async(engines) or loop_is_running() or any(map(is_bound, engines.values())):
        return run_blocking(engines, work)

    # asyncio turns Ctrl-C into a cancellation.
    return asyncio.run(run_in_thread(t.cast("dict[str, sa.Engine]", engines), work))


def run_directly(
    engines: dict[str, sa.Engine],
    work: Work[T],
    sleep: c.Callable[[float], None] = time.sleep,
) -> T:
    with contextlib.ExitStack() as stack, _cursors_freed():
        return work(open_access(engines, stack, sleep))


def open_access(
    engines: dict[str, sa.Engine],
    stack: contextlib.ExitStack,
    sleep: c.Callable[[float], None] = time.sleep,
) -> Access:
    """Connect to each database, from code that may block.

    :param engines: The engine of each database, by its name.
    :param stack: Closes the connections.
    :param sleep: See :class:`.Access`.
    :raises DatabaseConnectionError: If a database cannot be connected to.
    """
    connections = {}

    for name, engine in engines.items():
        base, options = listenable(engine)

        with named_errors(name, engine.url):
            connection = stack.enter_context(base.connect())
            see_to_dialect(connection)
            connections[name] = connection.execution_options(**options)

    return Access(connections, _call_here, sleep, connect_beside(engines))


def _call_here(fn: c.Callable[[], T]) -> T:
    return fn()


async def run_in_thread(engines: dict[str, sa.Engine], work: Work[T]) -> T:
    """Run work in a worker thread. If it is cancelled, its statement is interrupted, it
    rolls back, and the cancellation is raised when the thread is done.
    """
    cancelled = threading.Event()
    finished = anyio.Event()
    outcome: list[T] = []
    failure: list[BaseException] = []
    interruptions: dict[str, Interruption] = {}
    interrupting = threading.Lock()

    def stop_if_cancelled(*args: object) -> None:
        if cancelled.is_set():
            raise _Cancelled

    def sleep(seconds: float) -> None:
        cancelled.wait(seconds)
        stop_if_cancelled()

    def watched(access: Access) -> T:
        for name, connection in access.connections.items():
            interruptions[name] = dialect_of(connection).interruption(connection)
            event.listen(connection, "before_cursor_execute", stop_if_cancelled)
            event.listen(connection, "commit", stop_if_cancelled)

        try:
            return work(access)
        finally:
            with interrupting:
                interruptions.clear()

            if cancelled.is_set():
                # An interrupt can come late. It must not meet who has it next.
                for connection in access.connections.values():
                    connection.invalidate()

    def interrupt() -> None:
        with interrupting:
            for name, interruption in interruptions.items():
                if interruption.call:
                    # If it fails, the thread ends after its statement.
                    with contextlib.suppress(Exception):
                        interruption.call()

                _execute_beside(connect_beside(engines), name, interruption.statement)

    async def run() -> None:
        try:
            outcome.append(
                await anyio.to_thread.run_sync(run_directly, engines, watched, sleep)
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

            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(interrupt)

            raise

    if failure:
        raise failure[0]

    return outcome[0]


class _Cancelled(BaseException):
    """Ends work whose caller was cancelled; no ``except Exception`` can hold it."""


async def run_in_greenlet(engines: dict[str, AsyncEngine], work: Work[T]) -> T:
    """Run work in a greenlet. If it is cancelled, it is told so once, however often or
    in whatever way its caller is, and the cancellation is raised when it has rolled
    back.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    interruptions: dict[str, Interruption] = {}

    async def run() -> None:
        try:
            outcome.append(await _run_in_greenlet(engines, work, interruptions))
        except asyncio.CancelledError:
            raise
        except BaseException as e:
            # Out of a task of its own, an exit would end the loop and not the caller.
            failure.append(e)

    task = asyncio.create_task(run())

    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()

        with anyio.CancelScope(shield=True):
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


async def _run_in_greenlet(
    engines: dict[str, AsyncEngine],
    work: Work[T],
    interruptions: dict[str, Interruption],
) -> T:
    async with contextlib.AsyncExitStack() as stack:
        connections: dict[str, AsyncConnection] = {}

        for name, engine in engines.items():
            base, options = listenable(engine.sync_engine)

            with named_errors(name, engine.url):
                connection = AsyncEngine(base).connect()
                await stack.enter_async_context(connection)
                connections[name] = await connection.execution_options(**options)

        # Within the greenlet of one connection, those of the others work as well.
        first = next(iter(connections.values()))
        sync_engines = {name: engine.sync_engine for name, engine in engines.items()}

        def call(connection: sa.Connection) -> T:
            opened = {name: conn.sync_connection for name, conn in connections.items()}
            wait_for = functools.partial(_await_in_greenlet, connection)
            access = Access(
                t.cast("dict[str, sa.Connection]", opened),
                lambda fn: wait_for(lambda: anyio.to_thread.run_sync(fn)),
                lambda seconds: wait_for(lambda: asyncio.sleep(seconds)),
                connect_beside(sync_engines),
            )

            for name, opened_connection in access.connections.items():
                see_to_dialect(opened_connection)
                dialect = dialect_of(opened_connection)
                interruptions[name] = dialect.interruption(opened_connection)

            try:
                return work(access)
            except asyncio.CancelledError:
                for name, interruption in interruptions.items():
                    # A statement was given up that the server may be at.
                    if access.connections[name].invalidated:
                        _execute_beside(access.connect, name, interruption.statement)

                raise
            finally:
                interruptions.clear()

        with _cursors_freed():
            return await first.run_sync(call)


@contextlib.contextmanager
def _cursors_freed() -> c.Iterator[None]:
    """See to it that work which was broken off keeps no cursor. In the middle of its
    rows, SQLite keeps its lock with it after the connection was closed.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException as e:
        traceback.clear_frames(e.__traceback__)
        raise


def _execute_beside(
    connect: c.Callable[[str], contextlib.AbstractContextManager[sa.Connection]],
    name: str,
    statement: str | None,
) -> None:
    """Execute a statement, if any, on one more connection to a database."""
    if statement is not None:
        # If it fails, the server finds out after the statement that it is at.
        with contextlib.suppress(Exception), connect(name) as connection:
            connection.exec_driver_sql(statement)


def run_in_own_loop(engines: dict[str, AsyncEngine], work: Work[T]) -> T:
    async def main() -> T:
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


def _await_in_greenlet(
    connection: sa.Connection, fn: c.Callable[[], c.Awaitable[t.Any]]
) -> t.Any:
    # run_async() is SQLAlchemy's public way to await from within a greenlet.
    adapted = t.cast("t.Any", connection.connection.dbapi_connection)
    return adapted.run_async(lambda _: fn())
