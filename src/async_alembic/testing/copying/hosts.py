"""A server as it is used: from any thread, by the processes of a run together."""

from __future__ import annotations

import collections.abc as c
import contextlib
import time
import typing as t
from collections import deque
from concurrent.futures import Future

from ..servers import Server
from ..servers import server_of
from .copies import Copy
from .copies import CopyInMemory
from .worker import Worker

if t.TYPE_CHECKING:
    import sqlalchemy as sa

T = t.TypeVar("T")
#: In seconds: how often to ask for a template that another process makes.
_PAUSE = 0.05
#: How many copies are made before they are needed.
_AHEAD = 2


class Host:
    """A server on which databases are made for tests.

    :param url: Its URL.
    :param run: See :class:`.Server`.
    :raises DatabaseConnectionError: If it cannot be connected to.
    :raises FreshDatabaseError: If its database is somebody else's.
    """

    def __init__(self, url: sa.URL, run: str) -> None:
        self.server: Server = server_of(url, run)
        self._worker = Worker()
        self._stocks: list[Stock] = []

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

    def stock(self, template: str | None) -> Stock:
        """Make copies of a template; empty databases if there is none."""
        stock = Stock(self, template)
        self._stocks.append(stock)
        return stock

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
            for stock in self._stocks:
                stock.clear()

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


class Stock:
    """Copies of a template, some of which are made before they are needed.

    :param host: The server.
    :param template: The name of the template, if they are not empty.
    """

    def __init__(self, host: Host, template: str | None) -> None:
        self._host = host
        self._template = template
        self._ahead: deque[Future[str]] = deque()
        self._taken = 0

    def copy(self, *, in_memory: bool) -> Copy:
        """Get one that nobody else has.

        :param in_memory: Whether it may be gone with its connection.
        """
        if in_memory and self._host.in_memory:
            return CopyInMemory(self._host, self._template)

        return Copy(self._host, self._take())

    def _take(self) -> str:
        copy = self._ahead.popleft() if self._ahead else None

        if copy is None or copy.cancel():
            # What waits may be behind the copies for others.
            name = self._host.copy(self._template)
        else:
            name = copy.result()

        # Not for those of whom there is one.
        wanted = min(_AHEAD, self._taken) if self._host.server.is_slow else 0

        while len(self._ahead) < wanted:
            self._ahead.append(self._host.copy_later(self._template))

        self._taken += 1
        return name

    def clear(self) -> None:
        """Drop what nobody has taken."""
        for copy in self._ahead:
            if not copy.cancel():
                self._host.drop_later(copy.result())

        self._ahead.clear()
