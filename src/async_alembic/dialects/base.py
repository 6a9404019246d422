"""What differs by database; the base of all dialects."""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import hashlib
import json
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..errors import ConfigurationError
from ..errors import first_line
from ..results import LockHolder
from .locks import SessionLock
from .migrated import is_usable
from .migrated import MigratedConnection
from .server_defaults import Defaults

#: Waits until the first function returns true. The second one tells who is in the way.
Wait: t.TypeAlias = c.Callable[
    [c.Callable[[], bool], c.Callable[[], LockHolder | None]], None
]
Setting: t.TypeAlias = str | int | float

#: The execution option of the update of the version table that a revision ends with.
#: Its parameters are the ids ``last_id`` and ``next_id``.
VERSION_UPDATE = "async_alembic_version_update"


@dataclasses.dataclass(frozen=True)
class Interruption:
    """How to end the statement that a connection is running.

    :param call: A function to call meanwhile, from any thread; what it returns is
        awaited if it can be.
    :param statement: Else, a statement to execute on another connection. The server
        would go on even if the connection was closed.
    """

    call: c.Callable[[], object] | None = None
    statement: str | None = None


class Dialect:
    """A database that needs nothing special."""

    #: Whether DDL can be rolled back; ``None`` leaves the answer to Alembic.
    transactional_ddl: bool | None = None
    #: Whether nothing is ever left of a revision that has failed.
    is_atomic = True
    #: Whether most changes of a table need a new one, so that revisions are to be
    #: generated with ``batch_alter_table``.
    needs_batch: bool = False
    defaults: t.ClassVar[Defaults] = Defaults()

    @contextlib.contextmanager
    def migrating(
        self, connection: sa.Connection, wait: Wait | None
    ) -> c.Iterator[MigratedConnection]:
        """Prepare a connection to be migrated, and put it back as it was.

        :param connection: A connection that is not in a transaction.
        :param wait: Waits for other migrators where the transaction is the lock;
            ``None`` leaves that to the database.
        """
        try:
            yield MigratedConnection(connection)
        except BaseException:
            if is_usable(connection):
                # SQLAlchemy holds a transaction for done whose commit has failed.
                with contextlib.suppress(Exception):
                    connection.rollback()
                    connection.connection.rollback()

            raise

    @contextlib.contextmanager
    def session(
        self, connection: sa.Connection, settings: c.Mapping[str, Setting]
    ) -> c.Iterator[None]:
        """Change settings of a connection, and put them back as they were.

        :param connection: A connection that is not in a transaction.
        :param settings: The new value of each setting, by its name.
        :raises ConfigurationError: If the database refuses one of them.
        """
        before: dict[str, Setting | None] = {}

        try:
            for name, value in settings.items():
                with _setting_errors(name, value):
                    before[name] = self.get_setting(connection, name)
                    self.set_setting(connection, name, value)

            self._end_transaction(connection)
            yield
            self._end_transaction(connection)
            self._restore_settings(connection, before)
        except BaseException:
            # Whoever gets it next must not meet them.
            self._abandon_settings(connection, before)
            raise

    def _restore_settings(
        self, connection: sa.Connection, before: c.Mapping[str, Setting | None]
    ) -> None:
        for name, value in before.items():
            self.set_setting(connection, name, value)

        connection.commit()

    def _abandon_settings(
        self, connection: sa.Connection, before: c.Mapping[str, Setting | None]
    ) -> None:
        if before and is_usable(connection):
            connection.invalidate()

    def _end_transaction(self, connection: sa.Connection) -> None:
        if connection.in_transaction():
            connection.commit()

    def get_setting(self, connection: sa.Connection, name: str) -> Setting | None:
        """The value of a setting of the connection; ``None`` if it has none."""
        raise ConfigurationError(
            "app.config['ALEMBIC_SESSION'] cannot be used with this database. Set it to"
            " {}."
        )

    def set_setting(
        self, connection: sa.Connection, name: str, value: Setting | None
    ) -> None:
        raise NotImplementedError

    def lock_key(
        self, connection: sa.Connection, schema: str | None, table: str
    ) -> str | None:
        """What tells the lock of one version table from all others of the server.

        :param connection: Asked for the names that it goes by on the server, as URLs
            can name one database in many ways.
        :param schema: The schema of the version table, if one is configured.
        :param table: The name of the version table.
        :return: ``None`` if there are no such locks, or none is needed.
        """
        return None

    def session_lock(self, connection: sa.Connection, key: str) -> SessionLock:
        """A lock that is to be held by a connection.

        :param connection: Its session holds the lock.
        :param key: What :meth:`lock_key` returned.
        """
        raise NotImplementedError

    def is_blocked(self, error: BaseException) -> bool:
        """Whether a driver's error says that a lock could not be had, so that trying
        again can help.
        """
        return False

    def blocker(
        self, connection: sa.Connection, statement: str | None
    ) -> LockHolder | None:
        """Who is in the way of a statement, as far as can be told.

        :param connection: A connection that is not in a transaction.
        :param statement: What could not get its lock.
        """
        return None

    def advice(self, connection: sa.Connection, error: BaseException) -> str | None:
        """What to write instead of what has failed, if the reason is the driver.

        :param error: What a revision has failed with.
        """
        return None

    def interruption(self, connection: sa.Connection) -> Interruption:
        """How to end a statement that a connection will be running.

        :param connection: An open connection.
        """
        return Interruption()


def digest(*parts: str | None) -> str:
    """16 hexadecimal digits that stand for these texts in this order."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()


@contextlib.contextmanager
def _setting_errors(name: str, value: Setting) -> c.Iterator[None]:
    try:
        yield
    except DBAPIError as e:
        raise ConfigurationError(
            f"app.config['ALEMBIC_SESSION']['{name}'] cannot be {value!r}:"
            f" {first_line(e.orig or e)}. Correct the name or the value."
        ) from e
