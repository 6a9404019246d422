from __future__ import annotations

import abc
import contextlib
import itertools
import re
import typing as t
from uuid import uuid4

from sqlalchemy.exc import DBAPIError

if t.TYPE_CHECKING:
    import sqlalchemy as sa

#: The prefix of every database that is created here. No other database is changed.
PREFIX = "test_async_alembic_"
#: The prefix of templates that are kept after a run.
KEPT_PREFIX = f"{PREFIX}keep_"
#: The names of :meth:`Server.new_name` and :meth:`Server.template_name`.
_OWN_NAME = re.compile(
    rf"{KEPT_PREFIX}[0-9a-f]{{8}}_[0-9a-f]{{16}}"
    rf"|{PREFIX}[0-9a-f]{{8}}_(t[0-9a-f]{{16}}|[0-9a-f]{{6}}_[0-9]+)"
)


class Server(abc.ABC):
    """Creates, copies and drops databases on one server.

    All methods block. Call them in one thread only, unless noted otherwise.

    :param url: The URL of the server.
    :param run: 8 hexadecimal digits that identify the test run. They are part of the
        name of each database. Once all processes of the run have ended, its databases
        are leftovers.
    """

    #: Whether a database is lost with its connection. Copies are then made by
    #: :meth:`load_template`.
    in_memory: bool = False
    #: Whether to copy and drop in the worker thread. If false, doing so is faster than
    #: switching threads, and any thread may call :meth:`copy` and :meth:`drop`.
    copy_in_worker: bool = True

    def __init__(self, url: sa.URL, run: str) -> None:
        self.url = url
        self.run = run
        self._numbers = itertools.count(1)
        self._process = uuid4().hex[:6]

    def new_name(self) -> str:
        """Return a unique database name."""
        return f"{PREFIX}{self.run}_{self._process}_{next(self._numbers)}"

    def template_name(self, project: str, key: str, *, keep: bool) -> str:
        """Return the name of a template.

        :param project: 8 hexadecimal digits, the same for all versions of a history.
        :param key: 16 hexadecimal digits that change with the contents.
        :param keep: Whether to keep the template after the run.
        """
        return f"{KEPT_PREFIX}{project}_{key}" if keep else f"{PREFIX}{self.run}_t{key}"

    def drop_leftovers(self) -> None:
        """Drop the databases of runs that have ended. Requires the template lock."""
        runs = {
            name: name.removeprefix(PREFIX).partition("_")[0]
            for name in self._own_names()
            if not name.startswith(KEPT_PREFIX)
        }
        ended = {run for run in set(runs.values()) if not self.is_alive(run)}

        for name, run in runs.items():
            if run in ended:
                try:
                    self.drop(name)
                except (DBAPIError, OSError):
                    # It may belong to another user.
                    if run == self.run:
                        raise

    def drop_kept_templates(self, project: str, keep: str | None) -> None:
        """Drop the kept templates of a history.

        :param project: See :meth:`template_name`.
        :param keep: The name of a template not to drop, or ``None`` to drop all.
        """
        for name in self._own_names():
            if name.startswith(f"{KEPT_PREFIX}{project}_") and name != keep:
                # It may belong to another user.
                with contextlib.suppress(DBAPIError, OSError):
                    self.drop(name)

    def _own_names(self) -> list[str]:
        """Return the names that only this class creates."""
        return [name for name in self.database_names() if _OWN_NAME.fullmatch(name)]

    @abc.abstractmethod
    def open(self) -> None:
        """Connect and take the lock of this run, which several processes can hold.

        :raises FreshDatabaseError: If the URL's database contains tables of a user.
        """

    @abc.abstractmethod
    def release_run_lock(self) -> None:
        """Release this process's hold on the lock of the run."""

    @abc.abstractmethod
    def close(self) -> None:
        """Disconnect."""

    @abc.abstractmethod
    def try_template_lock(self) -> bool:
        """Try to take the lock for creating templates and dropping leftovers.

        :return: False if another process holds it.
        """

    @abc.abstractmethod
    def release_template_lock(self) -> None: ...

    @abc.abstractmethod
    def is_alive(self, run: str) -> bool:
        """Whether any process holds the lock of a run."""

    @abc.abstractmethod
    def version(self) -> str:
        """Return the name and version of the server."""

    @abc.abstractmethod
    def url_of(self, name: str) -> sa.URL:
        """Return the URL of a database."""

    @abc.abstractmethod
    def database_names(self) -> list[str]:
        """Return the names that begin with :data:`PREFIX`."""

    @abc.abstractmethod
    def create(self, name: str) -> None:
        """Create an empty database."""

    @abc.abstractmethod
    def drop(self, name: str) -> None:
        """Drop a database if it exists, even if there are connections to it."""

    @abc.abstractmethod
    def has_template(self, name: str) -> bool:
        """Whether a complete template of this name exists."""

    @abc.abstractmethod
    def publish(self, source: str, template: str) -> None:
        """Turn a database into a template. Other processes never see it incomplete."""

    @abc.abstractmethod
    def copy(self, template: str, name: str) -> None:
        """Create a database as a copy of a template."""

    def load_template(self, connection: sa.Connection, template: str) -> None:
        """Copy a template to the in-memory database of a connection, in any thread."""
        raise NotImplementedError
