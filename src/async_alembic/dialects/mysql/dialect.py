from __future__ import annotations

import collections.abc as c
import contextlib
import re
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ...errors import ConfigurationError
from ..base import Connect
from ..base import Dialect
from ..base import Interruption
from ..base import Place
from ..base import READ_ONLY
from ..base import Repeated
from ..base import Setting
from ..base import Wait
from ..locks import digest
from ..sockets import shut_down

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    from ...results import LockHolder
    from ..column_types import ColumnTypes
    from ..computed_columns import ComputedColumns
    from ..journals import Journal
    from ..locks import MigrationLock
    from ..migrated import MigratedConnection
    from ..observing import Observer
    from ..server_defaults import Defaults
    from .new_databases import MySQLDatabases
    from .schema_objects import MySQLObjects
    from .script import MySQLScript


#: "Lock wait timeout exceeded" and "Deadlock found"
#: (https://mariadb.com/kb/en/mariadb-error-codes/).
_BLOCKED = {1205, 1213}
#: A node of a cluster that has no quorum, or is not in step yet.
_NOT_PREPARED = 1047
#: "Cannot execute statement in a READ ONLY transaction", "Running in read-only mode".
_READ_ONLY = {1792, 1836}
#: "Access denied", "command denied to user" and "you need the privilege".
_DENIED = {1044, 1142, 1227}
#: "You have an error in your SQL syntax".
_SYNTAX_ERROR = 1064
#: The settings of a migrating session, as far as the server has them. A year is the
#: longest timeout that servers accept.
_SESSION = {
    "wait_timeout": 31_536_000,
    "idle_transaction_timeout": 0,
    "idle_write_transaction_timeout": 0,
    "wsrep_sync_wait": 1,
}
#: A privilege lifts it; MariaDB and MySQL have their own, and older servers SUPER.
_place = sa.text(
    "SELECT DATABASE(), @@global.read_only AND NOT EXISTS ("
    "SELECT 1 FROM information_schema.user_privileges WHERE privilege_type"
    " IN ('SUPER', 'READ ONLY ADMIN', 'READ_ONLY ADMIN', 'CONNECTION_ADMIN'))"
)


#: UUID() ends with an address of the host.
_server = sa.text("SELECT CONCAT_WS(' ', RIGHT(UUID(), 12), @@hostname, @@port)")


class MySQL(Dialect):
    """Named locks belong to a session, so that the implicit commits of DDL do not
    release them (https://mariadb.com/kb/en/get_lock/).
    """

    is_atomic = False
    maintenance_database: str | None = "information_schema"
    schemas_are_databases: bool = True
    retypes_keys: bool = False

    @property
    def defaults(self) -> Defaults:
        from .server_defaults import MySQLDefaults

        return MySQLDefaults()

    @property
    def column_types(self) -> ColumnTypes:
        from .column_types import MySQLColumnTypes

        return MySQLColumnTypes()

    @property
    def computed_columns(self) -> ComputedColumns:
        from .computed_columns import MySQLComputedColumns

        return MySQLComputedColumns()

    @property
    def schema_objects(self) -> MySQLObjects:
        from .schema_objects import MySQLObjects

        return MySQLObjects()

    @contextlib.contextmanager
    def comparing(self, impl: DefaultImpl) -> c.Iterator[None]:
        from .indexes import comparing_lengths
        from .json_columns import reading_json

        with comparing_lengths(impl), reading_json(impl):
            yield

    @property
    def script_style(self) -> MySQLScript:
        from .script import MySQLScript

        return MySQLScript()

    def load(self) -> None:
        super().load()
        from . import binding as binding
        from . import galera as galera
        from . import named_locks as named_locks
        from . import recording as recording
        from . import several_statements as several_statements

    @contextlib.contextmanager
    def migrating(
        self, connection: sa.Connection, lock: MigrationLock | None, wait: Wait | None
    ) -> c.Iterator[MigratedConnection]:
        from .binding import pymysql_escaping
        from .recording import MySQLConnection
        from .several_statements import refusing_several_statements

        migration = MySQLConnection(connection)
        _keep_session(connection)

        with (
            refusing_several_statements(connection),
            super().migrating(connection, lock, wait),
            pymysql_escaping(connection),
            migration.installed(),
        ):
            yield migration

    def use_transactions(self, connection: sa.Connection) -> None:
        from .responses import is_autocommit

        if is_autocommit(connection):
            level = connection.default_isolation_level
            connection.execution_options(isolation_level=level)

    def place(self, connection: sa.Connection, schema: str | None, table: str) -> Place:
        # A schema is the same as a database.
        current, is_read_only = connection.execute(_place).one()
        schema = schema or current
        return Place(schema, schema, is_read_only=bool(is_read_only))

    def server(self, connection: sa.Connection) -> str | None:
        return str(connection.scalar(_server))

    def lock(
        self, connection: sa.Connection, place: Place, table: str, connect: Connect
    ) -> MigrationLock | None:
        from .galera import is_galera
        from .named_locks import NamedLock

        # Each node of a cluster has its own locks.
        if is_galera(connection):
            return None

        return NamedLock(connection, digest(place.schema, table))

    def journal(
        self, connection: sa.Connection, table: str, versions: str, schema: str | None
    ) -> Journal:
        from .journal import MySQLJournal

        return MySQLJournal(connection, table, versions, schema)

    def get_setting(self, connection: sa.Connection, name: str) -> Setting | None:
        _check_setting(name)
        value: Setting | None = connection.scalar(sa.text(f"SELECT @@SESSION.{name}"))
        return value

    def set_setting(
        self, connection: sa.Connection, name: str, value: Setting | None
    ) -> None:
        _check_setting(name)
        connection.execute(sa.text(f"SET SESSION {name} = :value"), {"value": value})

    def is_blocked(self, error: BaseException) -> bool:
        return bool(error.args) and error.args[0] in _BLOCKED

    def advice(self, connection: sa.Connection, error: BaseException) -> str | None:
        from .several_statements import advice_on_several_statements

        code, text = (*getattr(getattr(error, "orig", None), "args", ()), None, "")[:2]
        # 1290 names whichever option of the server refuses.
        is_read_only = code in _READ_ONLY or (code == 1290 and "read" in str(text))

        if is_read_only:
            return READ_ONLY

        if code in _DENIED:
            return "Grant the user this privilege"

        if code == _SYNTAX_ERROR:
            return advice_on_several_statements(connection, error, str(text))

        return None

    def is_unavailable(self, error: BaseException) -> bool:
        return error.args[:1] == (_NOT_PREPARED,)

    def blocker(
        self, connection: sa.Connection, statement: str | None
    ) -> LockHolder | None:
        from ..locks import fetch_holder
        from .galera import is_galera
        from .named_locks import BLOCKER

        # The transaction can be one of another node.
        if is_galera(connection):
            return None

        try:
            return fetch_holder(connection, BLOCKER, {})
        except DBAPIError:
            return None

    @property
    def new_databases(self) -> MySQLDatabases:
        from .new_databases import MySQLDatabases

        return MySQLDatabases()

    def observer(
        self, connection: sa.Connection, connect: Connect, repeated: Repeated
    ) -> Observer:
        from .observing import MySQLObserver

        return MySQLObserver(connection)

    def interruption(self, connection: sa.Connection) -> Interruption:
        driver_connection: t.Any = connection.connection.driver_connection

        def drop() -> None:
            if connection.dialect.is_async:
                driver_connection.close()
            else:
                # There's no public way to get the socket.
                shut_down(driver_connection._sock.fileno())

        # Not every driver has it.
        thread_id = getattr(driver_connection, "thread_id", None)
        kill = f"KILL QUERY {thread_id()}" if thread_id else None
        return Interruption(statement=kill, drop=drop)


def _keep_session(connection: sa.Connection) -> None:
    """Keep the server from ending the session while it is idle, as while another
    database is migrated, and have it read what other nodes of a cluster wrote.
    """
    listed = ", ".join(f"'{name}'" for name in _SESSION)
    known = connection.exec_driver_sql(
        f"SHOW VARIABLES WHERE Variable_name IN ({listed})"
    )

    for name, _ in known.all():
        connection.exec_driver_sql(f"SET SESSION {name} = {_SESSION[name]}")

    connection.rollback()


def _check_setting(name: str) -> None:
    if not re.fullmatch(r"\w+", name):
        raise ConfigurationError(
            f"app.config['ALEMBIC_SESSION']['{name}'] is not a valid name"
            " of a setting. Correct it; 'SHOW VARIABLES' lists all settings."
        )
