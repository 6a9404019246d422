"""The thread that runs all work on a server."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import itertools
import queue
import threading
import typing as t
from concurrent.futures import Future

T = t.TypeVar("T")


@dataclasses.dataclass(order=True)
class _Job:
    """A queued call.

    :param priority: The lowest value runs first.
    :param sequence: The order among jobs of the same priority.
    :param future: Receives the result.
    :param fn: The function, or ``None`` to end the thread.
    """

    priority: int
    sequence: int
    future: Future[t.Any] = dataclasses.field(compare=False)
    fn: c.Callable[[], t.Any] | None = dataclasses.field(compare=False)


class WorkerThread:
    """Calls functions one after another in its own thread.

    A connection and its event loop can stay in this thread, and copies are made there
    while the tests run.
    """

    def __init__(self) -> None:
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._sequence = itertools.count()
        # A daemon, so that the process can exit without a call of close().
        self._thread = threading.Thread(
            target=self._run, name="async-alembic-testing", daemon=True
        )
        self._thread.start()

    def call(self, fn: c.Callable[[], T]) -> T:
        """Call a function before all queued background jobs and return its result."""
        return self._enqueue(0, fn).result()

    def submit(self, fn: c.Callable[[], T]) -> Future[T]:
        """Call a function in the background, after all queued jobs."""
        return self._enqueue(1, fn)

    def close(self) -> None:
        """Finish all queued jobs and end the thread."""
        self._enqueue(2, None)
        self._thread.join()

    def _enqueue(self, priority: int, fn: c.Callable[[], T] | None) -> Future[T]:
        future: Future[T] = Future()
        self._jobs.put(_Job(priority, next(self._sequence), future, fn))
        return future

    def _run(self) -> None:
        while (job := self._jobs.get()).fn is not None:
            if job.future.set_running_or_notify_cancel():
                try:
                    job.future.set_result(job.fn())
                except BaseException as e:
                    job.future.set_exception(e)

            # Otherwise it would keep its objects alive until the next job.
            del job
