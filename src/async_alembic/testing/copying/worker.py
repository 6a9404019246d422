"""The thread in which a server is talked to."""

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
    rank: int
    number: int
    future: Future[t.Any] = dataclasses.field(compare=False)
    fn: c.Callable[[], t.Any] | None = dataclasses.field(compare=False)


class Worker:
    """Calls functions in a thread of its own, one after another.

    A connection and its event loop, if any, can stay in that thread, and what is made
    ahead is made there while the tests run.
    """

    def __init__(self) -> None:
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._count = itertools.count()
        # Whoever forgot to close this must not hang at the end of the process.
        self._thread = threading.Thread(
            target=self._work, name="async-alembic-testing", daemon=True
        )
        self._thread.start()

    def call(self, fn: c.Callable[[], T]) -> T:
        """Call a function before all that waits, and return what it returned."""
        return self._submit(0, fn).result()

    def submit(self, fn: c.Callable[[], T]) -> Future[T]:
        """Call a function after all that waits."""
        return self._submit(1, fn)

    def close(self) -> None:
        """End the thread, when it has done all that waits."""
        self._submit(2, None)
        self._thread.join()

    def _submit(self, rank: int, fn: c.Callable[[], T] | None) -> Future[T]:
        future: Future[T] = Future()
        self._jobs.put(_Job(rank, next(self._count), future, fn))
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()).fn is not None:
            if job.future.set_running_or_notify_cancel():
                try:
                    job.future.set_result(job.fn())
                except BaseException as e:
                    job.future.set_exception(e)

            # It would keep what it refers to until the next one comes.
            del job
