"""Access to a server from any thread, shared by all processes of a test run."""

from __future__ import annotations

import collections.abc as c
import contextlib
import time
import typing as t
from concurrent.futures import Future

from ..servers import Server
from ..servers import server_of
from .worker_thread import WorkerThread

if t.TYPE_CHECKING:
    import sqlalchemy as sa

T = t.TypeVar("T")
#: Seconds between two attempts to take the template lock.
_LOCK_POLL_INTERVAL = 0.05


class SharedServer:
    """A server on which test databases are created.

    :param url: The URL of the server.
    :param run: See :class:`.Server`.
    :raises DatabaseConnectionError: If connecting fails.
    :raises FreshDatabaseError: If the URL's database contains tables of a user.
    """

    def __init__(self, url: sa.URL, run: str) -> None:
        self.server: Server = server_of(url, run)
        self._worker = WorkerThread()
        self._before_close: list[c.Callable[[], None]] = []

        try:
            self._worker.call(self.server.open)
        except BaseException:
            self._worker.close()
            raise

        with self.template_lock():
            self._worker.call(self.server.drop_leftovers)

    @property
    def in_memory(self) -> bool:
        """See :class:`.Server`."""
        return self.server.in_memory

    def call(self, fn: c.Callable[[Server], T]) -> T:
        """Call a function with the server, before all queued background jobs."""
        return self._worker.call(lambda: fn(self.server))

    def before_close(self, fn: c.Callable[[], None]) -> None:
        """Register a function to call before the server is closed."""
        self._before_close.append(fn)

    def copy(self, template: str | None) -> str:
        """Make a copy before all queued background jobs.

        :param template: The name of the template, or ``None`` for an empty database.
        :return: The name of the copy.
        """
        if not self.server.copy_in_worker:
            return self._make_copy(template)

        return self._worker.call(lambda: self._make_copy(template))

    def copy_in_background(self, template: str | None) -> Future[str]:
        """Make a copy after all queued jobs."""
        return self._worker.submit(lambda: self._make_copy(template))

    def _make_copy(self, template: str | None) -> str:
        name = self.server.new_name()

        if template is None:
            self.server.create(name)
        else:
            self.server.copy(template, name)

        return name

    def drop(self, name: str) -> None:
        """Drop a copy, after all queued jobs if the server copies in the worker."""
        if self.server.copy_in_worker:
            self._worker.submit(lambda: self.server.drop(name))
        else:
            self.server.drop(name)

    def close(self) -> None:
        """Drop the databases of this process. The last process of the run also drops
        its templates.
        """
        try:
            for fn in self._before_close:
                fn()

            with self.template_lock():
                self._worker.call(self.server.release_run_lock)
                self._worker.call(self.server.drop_leftovers)
        finally:
            self._worker.submit(self.server.close)
            self._worker.close()

    @contextlib.contextmanager
    def template_lock(self) -> c.Iterator[None]:
        """Keep other processes from creating templates."""
        while not self._worker.call(self.server.try_template_lock):
            time.sleep(_LOCK_POLL_INTERVAL)

        try:
            yield
        finally:
            self._worker.call(self.server.release_template_lock)
