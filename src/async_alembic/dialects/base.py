"""The base class of all dialects: everything that differs by database."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa

from ..errors import ConfigurationError
from .place import Place as Place
from .place import Setting as Setting
from .place import setting_errors

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    from ..results import LockHolder
    from .column_types import ColumnTypes
    from .computed_columns import ComputedColumns
    from .journals import Journal
    from .locks import MigrationLock
    from .migrated import MigratedConnection
    from .new_databases import NewDatabases
    from .observing import Observer
    from .schema_objects import SchemaObjects
    from .scripts import ScriptStyle
    from .server_defaults import Defaults

#: Waits until the first function returns true. The second one returns the blocker.
Wait: t.TypeAlias = (
    "c.Callable[[c.Callable[[], bool], c.Callable[[], LockHolder | None]], None]"
)
#: Opens another connection to the database.
Connect: t.TypeAlias = c.Callable[[], contextlib.AbstractContextManager[sa.Connection]]
#: Calls a function with other connections to the database while a block is executed.
Repeated: t.TypeAlias = c.Callable[
    [c.Callable[[sa.Connection], None]], contextlib.AbstractContextManager[None]
]

#: The advice for statements that a server refuses because it is read-only.
READ_ONLY = "Connect to the primary, as this server is a replica or read-only"

#: The execution option that marks the update of the version table after a revision.
#: Its parameters are the ids ``last_id`` and ``next_id``.
VERSION_UPDATE = "async_alembic_version_update"


class Interruption(t.NamedTuple):
    """How to cancel the statement that a connection is running.

    :param call: A function to call, from any thread; its result is awaited if it is
        awaitable.
    :param statement: Otherwise, a statement to execute on another connection, where
        the server continues even if the connection is closed.
    :param drop: Ends the connection from this side, from any thread, without waiting
        for an answer. Whoever waits for one gets an error.
    """

    call: c.Callable[[], object] | None = None
    statement: str | None = None
    drop: c.Callable[[], object] | None = None


class Dialect:
    """A database without special needs."""

    #: Arguments of each driver for connections that migrate, or work beside one.
    connect_arguments: t.ClassVar[c.Mapping[str, c.Mapping[str, t.Any]]] = {}
    #: Whether a transaction locks out other migrators.
    locks_by_transaction: bool = False
    #: Whether DDL can be rolled back; ``None`` to use Alembic's value.
    transactional_ddl: bool | None = None
    #: Whether a failed revision is always rolled back as a whole.
    is_atomic = True
    #: Whether most changes recreate the table, as ``batch_alter_table`` does.
    needs_batch: bool = False
    #: Whether a column takes no longer text than its type says.
    enforces_lengths: bool = True
    #: Whether a schema is another database, which a scratch copy does not replace.
    schemas_are_databases: bool = False
    #: A database that every server has, to create others from.
    maintenance_database: str | None = None
    #: Whether the search path of a session decides which schema it uses.
    has_search_path: bool = False
    #: What queries of version tables also select, so that a proxy asks the primary.
    primary_expression: str = "1"
    #: Whether the type of a column can change while a foreign key has it.
    retypes_keys: bool = True
    #: Whether SQLAlchemy reads all tables of a schema with a few queries.
    reads_tables_at_once: bool = False

    @property
    def defaults(self) -> Defaults:
        """How the database shows server defaults."""
        from .server_defaults import Defaults

        return Defaults()

    @property
    def column_types(self) -> ColumnTypes:
        """How the database shows the parameters of types."""
        from .column_types import ColumnTypes

        return ColumnTypes()

    @property
    def script_style(self) -> ScriptStyle:
        """How statements stand in a file."""
        from .scripts import ScriptStyle

        return ScriptStyle()

    @property
    def schema_objects(self) -> SchemaObjects:
        """What a schema has beside tables."""
        from .schema_objects import SchemaObjects

        return SchemaObjects()

    def load(self) -> None:
        """Import what a migration needs, where that does not block an event loop."""
        from . import migrated as migrated

        _ = self.column_types, self.computed_columns, self.defaults, self.schema_objects

    @contextlib.contextmanager
    def migrating(
        self, connection: sa.Connection, lock: MigrationLock | None, wait: Wait | None
    ) -> c.Iterator[MigratedConnection]:
        """Prepare a connection for a migration, and restore it at the end.

        :param connection: A connection outside of a transaction.
        :param lock: The lock, which the session holds, if there is one.
        :param wait: Waits for other migrators where a transaction is the lock; ``None``
            to let the database wait.
        """
        from .migrated import is_usable
        from .migrated import MigratedConnection

        try:
            yield MigratedConnection(connection)
        except BaseException:
            if is_usable(connection):
                # SQLAlchemy considers a transaction ended even if its commit failed.
                with contextlib.suppress(Exception):
                    connection.rollback()
                    connection.connection.rollback()

            raise

    def use_transactions(self, connection: sa.Connection) -> None:
        """Make a connection use transactions, even if its engine does not.

        :param connection: A connection outside of a transaction.
        """
        with contextlib.suppress(NotImplementedError):
            if connection.get_isolation_level() == "AUTOCOMMIT":
                level = connection.default_isolation_level
                connection.execution_options(isolation_level=level)

    @contextlib.contextmanager
    def session(
        self,
        connection: sa.Connection,
        settings: c.Mapping[str, Setting],
        *,
        restore: bool,
    ) -> c.Iterator[None]:
        """Change settings of a connection.

        :param connection: A connection outside of a transaction.
        :param settings: The new values, by name.
        :param restore: Whether to restore them at the end, as the app goes on to use
            the connection.
        :raises ConfigurationError: If the database rejects a setting.
        """
        before: dict[str, Setting | None] = {}

        try:
            for name, value in settings.items():
                with setting_errors(name, value):
                    if restore:
                        before[name] = self.get_setting(connection, name)

                    self.set_setting(connection, name, value)

            self._end_transaction(connection)
            yield
        finally:
            if restore:
                self._restore_settings(connection, before)

    def _restore_settings(
        self, connection: sa.Connection, before: c.Mapping[str, Setting | None]
    ) -> None:
        from .migrated import is_usable

        if is_usable(connection):
            connection.rollback()

            for name, value in before.items():
                self.set_setting(connection, name, value)

            self._end_transaction(connection)

    def _end_transaction(self, connection: sa.Connection) -> None:
        if connection.in_transaction():
            connection.commit()

    def reset_session(self, connection: t.Any, driver: str) -> None:
        """Undo what a migration has left in a session that another one goes on to use.

        :param connection: A connection of the driver, outside of a transaction.
        :param driver: The name of the driver.
        """
        raise NotImplementedError

    def get_setting(self, connection: sa.Connection, name: str) -> Setting | None:
        """Return the value that restores a session setting; ``None`` if that is the one
        from the start of the session.
        """
        return None

    def set_setting(
        self, connection: sa.Connection, name: str, value: Setting | None
    ) -> None:
        """Change a session setting, if there is one of that name."""
        raise ConfigurationError(
            "app.config['ALEMBIC_SESSION'] cannot be used with this database. Set it to"
            " {}."
        )

    def place(self, connection: sa.Connection, schema: str | None, table: str) -> Place:
        """Return where the version table is. The server is asked, as URLs can name one
        database in many ways.

        :param connection: A connection to the database.
        :param schema: The schema of the version table, if one is configured.
        :param table: The name of the version table.
        """
        return Place(None, schema)

    def server(self, connection: sa.Connection) -> str | None:
        """Return what tells the server of a connection from other servers."""
        return None

    def lock(
        self, connection: sa.Connection, place: Place, table: str, connect: Connect
    ) -> MigrationLock | None:
        """Return the lock of one version table, which the session is to hold.

        :param connection: The migrating connection.
        :param place: Where the version table is.
        :param table: The name of the version table.
        :param connect: Opens another connection to the database.
        :return: ``None`` if the database has no lock that all of its servers share.
        """
        return None

    def writer(self, connection: sa.Connection) -> LockHolder | None:
        """Return who is writing, where a transaction locks out other migrators."""
        return None

    def journal(
        self, connection: sa.Connection, table: str, versions: str, schema: str | None
    ) -> Journal | None:
        """Return what records revisions that are half applied.

        :param connection: A connection to the database.
        :param table: The name of the table for it.
        :param versions: The name of the version table.
        :param schema: The schema of both, if one is configured.
        :return: ``None`` if a failed revision is always rolled back as a whole.
        """
        return None

    def current_heads(
        self, connection: sa.Connection, versions: sa.TableClause
    ) -> tuple[str, ...]:
        """Return the ids in the version table, from where they are written.

        :param connection: A connection to the database.
        :param versions: The version table, which exists.
        """
        return tuple(connection.scalars(sa.select(versions.c.version_num)))

    def dependent_tables(
        self, connection: sa.Connection
    ) -> set[tuple[str | None, str]]:
        """Return the schema and the name of each table that is part of something else,
        such as a partition or the table of an extension.

        :param connection: A connection to the database.
        """
        return set()

    def other_objects(
        self, connection: sa.Connection, schema: str | None
    ) -> c.Iterable[str]:
        """Return the names of what a schema has beside tables, views and sequences, and
        what only this database has.

        :param connection: A connection to the database.
        :param schema: The schema; ``None`` for the default one.
        """
        return ()

    @property
    def computed_columns(self) -> ComputedColumns:
        """How the database computes columns."""
        from .computed_columns import ComputedColumns

        return ComputedColumns()

    def comparing(self, impl: DefaultImpl) -> contextlib.AbstractContextManager[None]:
        """Let Alembic's comparison read at once what it reads column by column.

        :param impl: Alembic's implementation for the database.
        """
        return contextlib.nullcontext()

    def use_conversions(self, impl: DefaultImpl) -> None:
        """Let the batches of Alembic's implementation convert values without loss."""

    def is_blocked(self, error: BaseException) -> bool:
        """Return whether a driver's error means that a lock was not available, so
        that a retry can help.
        """
        return False

    def is_unavailable(self, error: BaseException) -> bool:
        """Return whether a driver's error means that the server cannot answer for a
        while.
        """
        return False

    def blocker(
        self, connection: sa.Connection, statement: str | None
    ) -> LockHolder | None:
        """Return the session that blocks a statement, if it can be determined.

        :param connection: A connection outside of a transaction.
        :param statement: The statement that could not get its lock.
        """
        return None

    def advice(self, connection: sa.Connection, error: BaseException) -> str | None:
        """Return what to write instead, if the driver is the cause of an error.

        :param error: The error of a revision.
        """
        return None

    def lint(self, statements: c.Sequence[str]) -> c.Iterable[tuple[int, str, str]]:
        """Return what a linter finds, if one is installed: the position of a statement,
        the rule, and what it says. Executes a program.

        :param statements: The statements of one revision.
        """
        return ()

    @property
    def new_databases(self) -> NewDatabases:
        """Creates databases beside the one of a connection."""
        from .new_databases import NewDatabases

        return NewDatabases()

    def observer(
        self, connection: sa.Connection, connect: Connect, repeated: Repeated
    ) -> Observer:
        """Return what observes the server while it executes statements.

        :param connection: The connection that executes them.
        :param connect: Opens another connection to the database.
        :param repeated: Calls a function again and again, each time with another
            connection, even while a statement is executed.
        """
        from .observing import Observer

        return Observer(connection)

    def interruption(self, connection: sa.Connection) -> Interruption:
        """Return how to cancel statements of a connection.

        :param connection: An open connection.
        """
        return Interruption()
