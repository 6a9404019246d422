from __future__ import annotations

import abc
import collections.abc as c
import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..errors import ConfigurationError
from ..errors import first_line
from ..results import LockHolder
from .server_defaults import Defaults

if t.TYPE_CHECKING:
    from alembic.operations import BatchOperations

#: Waits until the first function returns true. The second one tells who is in the way.
Wait: t.TypeAlias = c.Callable[
    [c.Callable[[], bool], c.Callable[[], LockHolder | None]], None
]
Block: t.TypeAlias = c.Callable[[], contextlib.AbstractContextManager[None]]
#: ``batch_alter_table`` of Alembic's operations.
Batch: t.TypeAlias = c.Callable[
    ..., contextlib.AbstractContextManager["BatchOperations"]
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


class SessionLock(abc.ABC):
    """A lock that one session of a server holds until it releases it, or ends.

    :param connection: The connection of the session.
    :param key: Which lock it is.
    """

    #: Tries to take the lock, without waiting in the server. Its row tells whether that
    #: was done, and the server's id of the session.
    take_statement: t.ClassVar[sa.TextClause]
    #: Releases the lock. Tells whether the session had it until now.
    release_statement: t.ClassVar[sa.TextClause]
    #: Tells the ids of the sessions that have the lock.
    session_statement: t.ClassVar[sa.TextClause]
    #: Tells the fields of a :class:`.LockHolder`.
    holder_statement: t.ClassVar[sa.TextClause]

    def __init__(self, connection: sa.Connection, key: str) -> None:
        self._connection = connection
        self._key = key
        self._session: int | None = None

    @property
    @abc.abstractmethod
    def parameters(self) -> dict[str, t.Any]:
        """The parameters of the statements."""

    @abc.abstractmethod
    def prepare(self, other: sa.Connection) -> None:
        """See to it that the session is this migrator's own, and not ended for being
        idle.

        :param other: A connection to the same database.
        :raises LockUnavailableError: If it is not its own.
        """

    def take(self) -> bool:
        """Try to take the lock, without waiting in the server.

        :return: Whether it is taken.
        """
        row = self._connection.execute(self.take_statement, self.parameters).one()
        self._session = row[1]
        return bool(row[0])

    def release(self) -> bool:
        """Release the lock.

        :return: Whether it was held until now.
        """
        return bool(self._connection.scalar(self.release_statement, self.parameters))

    def give_up(self) -> None:
        """End the session, and with it the lock."""
        if is_usable(self._connection):
            self._connection.invalidate()

    def holder(self) -> LockHolder | None:
        """Who has the lock, as far as the server tells."""
        return find_session(self._connection, self.holder_statement, self.parameters)

    def is_held(self, connection: sa.Connection) -> bool:
        """Whether the server knows the session as the lock's holder.

        :param connection: What to ask on, so that the session stays idle, which is how
            others see since when it has the lock.
        """
        found = connection.scalars(self.session_statement, self.parameters).all()
        return self._session is not None and self._session in found


@dataclasses.dataclass(frozen=True)
class LeftOver:
    """What is left of a revision that has failed, where not all can be rolled back.

    :param applied: The statements that were applied.
    :param failed: The statement that failed; ``None`` if it was no statement.
    :param interrupted: Whether it is not known if that one was applied.
    :param uncertain: The statements before it that are applied if that one is, which
        commits them.
    """

    applied: tuple[str, ...]
    failed: str | None
    interrupted: bool
    uncertain: tuple[str, ...]


class MigratedConnection:
    """A connection that is being migrated.

    :param connection: A connection that is not in a transaction.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def begins(self) -> None:
        """A revision begins."""

    def ends(self) -> None:
        """It is done, and the database says so."""

    def left_over(self, error: BaseException) -> LeftOver | None:
        """What is left of the revision that was begun.

        :param error: What it has failed with.
        """
        return None

    def goes_on(self) -> bool:
        """Whether the next revision can follow the last one, as no other migrator came
        in between. Else it must be looked anew where the database is.
        """
        return True

    @contextlib.contextmanager
    def autocommit_block(self, block: Block) -> c.Iterator[None]:
        """What a revision enters to leave the transaction.

        :param block: Alembic's own, which commits, and begins again at its end.
        """
        is_switching = True

        try:
            with block():
                is_switching = False
                yield
                is_switching = True
        except BaseException:
            # Whoever gets the connection next must not find it in autocommit mode.
            if is_switching and is_usable(self._connection):
                self._connection.invalidate()

            raise

    def batch_alter_table(
        self, batch: Batch, *args: t.Any, **kwargs: t.Any
    ) -> contextlib.AbstractContextManager[BatchOperations]:
        """What a revision enters to change a table as a whole.

        :param batch: Alembic's own, which changes the table at its end.
        :param args: The arguments of that.
        """
        return batch(*args, **kwargs)


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
                with _named_setting(name, value):
                    before[name] = self.get_setting(connection, name)
                    self.set_setting(connection, name, value)

            self._end(connection)
            yield
            self._end(connection)
            self._put_back(connection, before)
        except BaseException:
            # Whoever gets it next must not meet them.
            self._give_up(connection, before)
            raise

    def _put_back(
        self, connection: sa.Connection, before: c.Mapping[str, Setting | None]
    ) -> None:
        for name, value in before.items():
            self.set_setting(connection, name, value)

        connection.commit()

    def _give_up(
        self, connection: sa.Connection, before: c.Mapping[str, Setting | None]
    ) -> None:
        if before and is_usable(connection):
            connection.invalidate()

    def _end(self, connection: sa.Connection) -> None:
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


def is_usable(connection: sa.Connection) -> bool:
    return not connection.closed and not connection.invalidated


def find_session(
    connection: sa.Connection, statement: sa.TextClause, parameters: dict[str, t.Any]
) -> LockHolder | None:
    """Ask for a session of the server.

    :param connection: What to ask on.
    :param statement: Tells the fields of a :class:`.LockHolder`. A time without a zone
        is in UTC.
    :param parameters: Those of the statement.
    """
    row = connection.execute(statement, parameters).mappings().one_or_none()

    if row is None:
        return None

    since: dt.datetime | None = row["since"]

    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=dt.UTC)

    return LockHolder(**{**row, "since": since})


def digest(*parts: str | None) -> str:
    """16 hexadecimal digits that stand for these texts in this order."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()


@contextlib.contextmanager
def _named_setting(name: str, value: Setting) -> c.Iterator[None]:
    try:
        yield
    except DBAPIError as e:
        raise ConfigurationError(
            f"app.config['ALEMBIC_SESSION']['{name}'] cannot be {value!r}:"
            f" {first_line(e.orig or e)}. Correct the name or the value."
        ) from e
