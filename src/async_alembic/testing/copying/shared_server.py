"""A server as it is used: from any thread, by the processes of a run together."""

from __future__ import annotations

import collections.abc as c
import contextlib
import time
import typing as t
from concurrent.futures import Future

from ..servers import Server
from ..servers import server_of
from .worker import Worker

if t.TYPE_CHECKING:
    import sqlalchemy as sa

T = t.TypeVar("T")
#: In seconds: how often to ask for a template that another process makes.
_PAUSE = 0.05


class SharedServer:
    """A server on which databases are made for tests.

    :param url: Its URL.
    :param run: See :class:`.Server`.
    :raises DatabaseConnectionError: If it cannot be connected to.
    :raises FreshDatabaseError: If its database is somebody else's.
    """

    def __init__(self, url: sa.URL, run: str) -> None:
        self.server: Server = server_of(url, run)
        self._worker = Worker()
        self._before_close: list[c.Callable[[], None]] = []

        try:
            self._worker.call(self.server.open)
        except BaseException:
            self._worker.close()
            raise

        with self.locked():
            self._worker.call(self.server.sweep)

    @property
    def in_memory(self) -> bool:
        """See :class:`.Server`."""
        return self.server.in_memory

    def call(self, fn: c.Callable[[Server], T]) -> T:
        """Call a function with the server, before all that waits."""
        return self._worker.call(lambda: fn(self.server))

    def before_close(self, fn: c.Callable[[], None]) -> None:
        """Call a function before the server is closed."""
        self._before_close.append(fn)

    def copy(self, template: str | None) -> str:
        """Make a copy at once.

        :return: Its name.
        """
        if not self.server.is_slow:
            return self._copy(template)

        return self._worker.call(lambda: self._copy(template))

    def copy_later(self, template: str | None) -> Future[str]:
        """Make a copy when what is waited for is done."""
        return self._worker.submit(lambda: self._copy(template))

    def _copy(self, template: str | None) -> str:
        name = self.server.new_name()

        if template is None:
            self.server.create(name)
        else:
            self.server.copy(template, name)

        return name

    def drop_later(self, name: str) -> None:
        """Drop a copy when what is waited for is done."""
        if self.server.is_slow:
            self._worker.submit(lambda: self.server.drop(name))
        else:
            self.server.drop(name)

    def close(self) -> None:
        """Drop what was made here; and if no other process of the run is left, its
        templates.
        """
        try:
            for fn in self._before_close:
                fn()

            with self.locked():
                self._worker.call(self.server.leave)
                self._worker.call(self.server.sweep)
        finally:
            self._worker.submit(self.server.close)
            self._worker.close()

    @contextlib.contextmanager
    def locked(self) -> c.Iterator[None]:
        """Keep others from making templates."""
        while not self._worker.call(self.server.try_lock):
            time.sleep(_PAUSE)

        try:
            yield
        finally:
            self._worker.call(self.server.unlock)
