"""Work on an ``Engine`` in a worker thread, which the caller awaits."""

from __future__ import annotations

import contextlib
import threading
import typing as t

import anyio
import anyio.to_thread
import sqlalchemy as sa
from sqlalchemy import event

from ..apps.engines import connect_beside
from ..dialects import dialect_of
from ..dialects import Interruption
from ..migration.open_databases import OpenDatabases
from .cancelling import execute_beside
from .direct import run_directly
from .direct import Work

T = t.TypeVar("T")


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

    def watched(databases: OpenDatabases) -> T:
        for name, connection in databases.connections.items():
            interruptions[name] = dialect_of(connection).interruption(connection)
            event.listen(connection, "before_cursor_execute", stop_if_cancelled)
            event.listen(connection, "commit", stop_if_cancelled)

        try:
            return work(databases)
        finally:
            with interrupting:
                interruptions.clear()

            if cancelled.is_set():
                # An interrupt can come late. It must not meet who has it next.
                for connection in databases.connections.values():
                    connection.invalidate()

    def interrupt() -> None:
        with interrupting:
            for name, interruption in interruptions.items():
                if interruption.call:
                    # If it fails, the thread ends after its statement.
                    with contextlib.suppress(Exception):
                        interruption.call()

                execute_beside(connect_beside(engines), name, interruption.statement)

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
