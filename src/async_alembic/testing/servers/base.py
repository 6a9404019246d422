from __future__ import annotations

import abc
import itertools
import typing as t
from uuid import uuid4

from sqlalchemy.exc import DBAPIError

if t.TYPE_CHECKING:
    import sqlalchemy as sa

#: What every database begins with that is made here. Nothing else is ever touched.
PREFIX = "test_async_alembic_"
#: The templates that outlive a run.
KEPT = f"{PREFIX}keep_"


class Server(abc.ABC):
    """Makes, copies and drops databases of one server.

    All of this blocks, and happens in one thread.

    :param url: The URL of the server.
    :param run: 8 hexadecimal digits. All databases with these belong together: they are
        of the processes of one test run, and left over once none of those is left.
    """

    #: Whether each database is gone with its connection, and so is made by filling it.
    in_memory: bool = False
    #: Whether copying and dropping takes longer than handing it to another thread. If
    #: not, both may be called in any thread.
    is_slow: bool = True

    def __init__(self, url: sa.URL, run: str) -> None:
        self.url = url
        self.run = run
        self._numbers = itertools.count(1)
        self._process = uuid4().hex[:6]

    def new_name(self) -> str:
        """A name that no other database has."""
        return f"{PREFIX}{self.run}_{self._process}_{next(self._numbers)}"

    def template_name(self, project: str, key: str, *, keep: bool) -> str:
        """The name of a template.

        :param project: 8 hexadecimal digits, the same for all versions of a history.
        :param key: 16 hexadecimal digits, others if anything in it differs.
        :param keep: Whether it outlives the run.
        """
        return f"{KEPT}{project}_{key}" if keep else f"{PREFIX}{self.run}_t{key}"

    def sweep(self) -> None:
        """Drop what is left of runs that are over, while having the lock."""
        runs = {
            name: name.removeprefix(PREFIX).partition("_")[0]
            for name in self.names()
            if not name.startswith(KEPT)
        }
        over = {run for run in set(runs.values()) if not self.is_alive(run)}

        for name, run in runs.items():
            if run in over:
                try:
                    self.drop(name)
                except DBAPIError:
                    # It can be another user's.
                    if run == self.run:
                        raise

    def drop_kept(self, project: str, but: str | None) -> None:
        """Drop the templates of other versions of a history.

        :param project: See :meth:`template_name`.
        :param but: The one to keep.
        """
        for name in self.names():
            if name.startswith(f"{KEPT}{project}_") and name != but:
                self.drop(name)

    @abc.abstractmethod
    def open(self) -> None:
        """Connect, and tell others that this run goes on.

        :raises FreshDatabaseError: If the URL's database is somebody else's.
        """

    @abc.abstractmethod
    def leave(self) -> None:
        """Tell others that this process is done with its run."""

    @abc.abstractmethod
    def close(self) -> None:
        """Disconnect."""

    @abc.abstractmethod
    def try_lock(self) -> bool:
        """Try to take the lock that is needed to make templates and to sweep.

        :return: Whether it is taken. If not, another process has it.
        """

    @abc.abstractmethod
    def unlock(self) -> None: ...

    @abc.abstractmethod
    def is_alive(self, run: str) -> bool:
        """Whether a process of a run is there."""

    @abc.abstractmethod
    def version(self) -> str:
        """The version of the server."""

    @abc.abstractmethod
    def url_of(self, name: str) -> sa.URL:
        """How to connect to a database."""

    @abc.abstractmethod
    def names(self) -> list[str]:
        """The databases that begin with :data:`PREFIX`."""

    @abc.abstractmethod
    def create(self, name: str) -> None:
        """Make an empty database."""

    @abc.abstractmethod
    def drop(self, name: str) -> None:
        """Drop a database if it is there, whoever is connected to it."""

    @abc.abstractmethod
    def has_template(self, name: str) -> bool:
        """Whether there is a whole template of this name."""

    @abc.abstractmethod
    def publish(self, built: str, template: str) -> None:
        """Make a database a template, at once or not at all, and drop it."""

    @abc.abstractmethod
    def copy(self, template: str, name: str) -> None:
        """Make a database that is as a template."""

    def fill(self, connection: sa.Connection, template: str) -> None:
        """Make the database of a connection as a template, if it is in memory. In any
        thread.
        """
        raise NotImplementedError
