"""A server as it is used: from any thread, by the processes of a run together."""

from __future__ import annotations

import collections.abc as c
import contextlib
import time
import typing as t
from collections import deque
from concurrent.futures import Future

from ..commands import migrate
from .servers import Server
from .servers import server_of
from .subjects import Factory
from .subjects import Subject
from .templates import key_of
from .templates import project_of
from .worker import Worker

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..revisions import StepTarget

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

        with self._locked():
            self._worker.call(self.server.sweep)

    @property
    def in_memory(self) -> bool:
        """See :class:`.Server`."""
        return self.server.in_memory

    def find_template(self, factory: Factory, target: StepTarget, keep: bool) -> str:
        """Get the name of a template, which is made if it is not there.

        :param factory: Makes what migrates it.
        :param target: How far to migrate it.
        :param keep: Whether it outlives the run, or was left by an earlier one.
        """
        call, server = self._worker.call, self.server
        built = server.new_name()
        subject = Subject(factory, server.url_of(built))
        version = call(server.version)
        project = project_of(subject.project, target)
        key = key_of(subject.project, target, version)
        name = server.template_name(project, key, keep=keep)

        with self._locked():
            # After a run that does not keep them, all are made anew.
            call(lambda: server.drop_kept(project, name if keep else None))

            if not call(lambda: server.has_template(name)):
                # What is left of one that was not finished.
                call(lambda: server.drop(name))
                self._build(subject, built, name, target)

        return name

    def _build(
        self, subject: Subject, built: str, name: str, target: StepTarget
    ) -> None:
        call, server = self._worker.call, self.server
        call(lambda: server.create(built))

        try:
            try:
                subject.run(migrate.upgrade, target)
            finally:
                subject.dispose()

            call(lambda: server.publish(built, name))
        except BaseException:
            call(lambda: server.drop(built))
            raise

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

            with self._locked():
                self._worker.call(self.server.leave)
                self._worker.call(self.server.sweep)
        finally:
            self._worker.submit(self.server.close)
            self._worker.close()

    @contextlib.contextmanager
    def _locked(self) -> c.Iterator[None]:
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
        self.template = template
        self._ahead: deque[Future[str]] = deque()
        self._taken = 0

    def take(self) -> str:
        """Get the name of a copy that nobody else has."""
        copy = self._ahead.popleft() if self._ahead else None

        if copy is None or copy.cancel():
            # What waits may be behind the copies for others.
            name = self._host.copy(self.template)
        else:
            name = copy.result()

        # Not for those of whom there is one.
        wanted = min(_AHEAD, self._taken) if self._host.server.is_slow else 0

        while len(self._ahead) < wanted:
            self._ahead.append(self._host.copy_later(self.template))

        self._taken += 1
        return name

    def clear(self) -> None:
        """Drop what nobody has taken."""
        for copy in self._ahead:
            if not copy.cancel():
                self._host.drop_later(copy.result())

        self._ahead.clear()
