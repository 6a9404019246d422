"""Run work with an ``Engine`` in a worker thread, which the caller awaits."""

from __future__ import annotations

import collections.abc as c
import contextlib
import logging
import threading
import typing as t

import sqlalchemy as sa
from sqlalchemy import event

from ..dialects import dialect_of
from ..dialects import Interruption
from ..errors import AsyncAlembicError
from ..errors import causes_of
from ..migration.open_databases import OpenDatabases
from .direct import run_directly
from .direct import Work
from .out_of_band import execute_out_of_band
from .out_of_band import out_of_band_connector
from .receivers import CallerLoop
from .time_limit import call_later_in_thread
from .time_limit import TimeLimit
from .worker_threads import run_in_worker_thread

T = t.TypeVar("T")
log: logging.Logger = logging.getLogger("async_alembic")


async def run_in_thread(
    engines: dict[str, sa.Engine], work: Work[T], own_connections: bool
) -> T:
    """Run work in a worker thread. A cancellation interrupts the current statement and
    rolls back, and is raised after the thread has finished.
    """
    cancelled = threading.Event()
    interruptions: dict[str, Interruption] = {}
    interruption_lock = threading.Lock()
    time_limit = TimeLimit(call_later_in_thread)
    caller = CallerLoop()

    def stop_if_cancelled(*args: object) -> None:
        if cancelled.is_set():
            raise _Cancelled

    def sleep(seconds: float) -> None:
        cancelled.wait(seconds)
        stop_if_cancelled()

    def wait_for(awaitable: c.Awaitable[object]) -> None:
        try:
            caller.wait_for(awaitable)
        finally:
            stop_if_cancelled()

    def interruptible_work(databases: OpenDatabases) -> T:
        for name, connection in databases.connections.items():
            interruptions[name] = dialect_of(connection).interruption(connection)
            event.listen(connection, "before_cursor_execute", stop_if_cancelled)
            event.listen(connection, "commit", stop_if_cancelled)

        try:
            return work(databases)
        finally:
            with interruption_lock:
                interruptions.clear()

            if cancelled.is_set():
                # An interrupt can arrive late, and must not hit the connection's next
                # user.
                for connection in databases.connections.values():
                    connection.invalidate()

    def interrupt() -> None:
        with interruption_lock:
            for name, interruption in interruptions.items():
                if interruption.call:
                    # On failure, the thread stops after its current statement.
                    with contextlib.suppress(Exception):
                        interruption.call()

                execute_out_of_band(
                    out_of_band_connector(engines), name, interruption.statement
                )

    def run() -> T | None:
        try:
            return run_directly(
                engines,
                interruptible_work,
                own_connections,
                sleep,
                time_limit,
                wait_for,
            )
        except (_Cancelled, AsyncAlembicError) as e:
            # The caller gets the cancellation, and not what is left of a revision. Work
            # that is cancelled stops at its next statement, and that hides the error.
            failures = [x for x in causes_of(e) if isinstance(x, AsyncAlembicError)]

            if cancelled.is_set() and failures:
                log.warning("%s", failures[0])

            if isinstance(e, _Cancelled):
                return None

            raise

    def cancel() -> None:
        cancelled.set()
        caller.cancel()
        time_limit.start()
        # Connecting, to interrupt a statement, may hang itself.
        threading.Thread(target=interrupt, daemon=True).start()

    return t.cast("T", await run_in_worker_thread(run, cancel))


class _Cancelled(BaseException):
    """Stops work whose caller was cancelled. ``except Exception`` does not catch it."""
