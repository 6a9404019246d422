from __future__ import annotations

import collections.abc as c
import contextlib
import re
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ...errors import ConfigurationError
from ...errors import first_line
from ...errors import LockUnavailableError
from ...results import LockHolder
from ..base import Dialect
from ..base import digest
from ..base import Interruption
from ..base import Setting
from ..base import Wait
from ..locks import fetch_holder
from ..locks import SessionLock
from ..migrated import MigratedConnection
from ..server_defaults import Defaults
from .binding import pymysql_escaping
from .half_applied import MySQLConnection

#: "Lock wait timeout exceeded" and "Deadlock found"
#: (https://mariadb.com/kb/en/mariadb-error-codes/).
_BLOCKED = {1205, 1213}
#: The longest timeout that a server accepts, in seconds: a year.
_MAX_TIMEOUT = 31_536_000

_columns = (
    "id AS pid, user AS application_name, host AS address,"
    " UTC_TIMESTAMP() - INTERVAL time SECOND AS since, info AS query"
)
#: The session that has run longest on this database, preferring those in a transaction.
#: Shows sessions of other users only with the privilege to see them.
_blocker = sa.text(
    f"SELECT {_columns} FROM information_schema.processlist"
    " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    " ORDER BY id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)"
    " DESC, time DESC LIMIT 1"
)
_blocker_without_privilege = sa.text(
    f"SELECT {_columns} FROM information_schema.processlist"
    " WHERE db = DATABASE() AND id <> CONNECTION_ID() ORDER BY time DESC LIMIT 1"
)


class MySQL(Dialect):
    """Named locks belong to a session, so that the implicit commits of DDL do not
    release them (https://mariadb.com/kb/en/get_lock/).
    """

    is_atomic = False
    defaults: t.ClassVar[Defaults] = Defaults(
        backslashes=True,
        synonyms={
            "current_timestamp": "current_timestamp()",
            "now()": "current_timestamp()",
            "false": "0",
            "true": "1",
        },
    )

    @contextlib.contextmanager
    def migrating(
        self, connection: sa.Connection, wait: Wait | None
    ) -> c.Iterator[MigratedConnection]:
        migration = MySQLConnection(connection)

        with (
            super().migrating(connection, wait),
            pymysql_escaping(connection),
            migration.listening(),
        ):
            yield migration

    def lock_key(
        self, connection: sa.Connection, schema: str | None, table: str
    ) -> str | None:
        # A schema is the same as a database.
        return digest(schema or connection.scalar(sa.text("SELECT DATABASE()")), table)

    def session_lock(self, connection: sa.Connection, key: str) -> SessionLock:
        return NamedLock(connection, key)

    def get_setting(self, connection: sa.Connection, name: str) -> Setting | None:
        if not re.fullmatch(r"\w+", name):
            raise ConfigurationError(
                f"app.config['ALEMBIC_SESSION']['{name}'] is not a valid name"
                " of a setting. Correct it; 'SHOW VARIABLES' lists all settings."
            )

        value: Setting | None = connection.scalar(sa.text(f"SELECT @@SESSION.{name}"))
        return value

    def set_setting(
        self, connection: sa.Connection, name: str, value: Setting | None
    ) -> None:
        connection.execute(sa.text(f"SET SESSION {name} = :value"), {"value": value})

    def is_blocked(self, error: BaseException) -> bool:
        return bool(error.args) and error.args[0] in _BLOCKED

    def blocker(
        self, connection: sa.Connection, statement: str | None
    ) -> LockHolder | None:
        try:
            return fetch_holder(connection, _blocker, {})
        except DBAPIError:
            return fetch_holder(connection, _blocker_without_privilege, {})

    def interruption(self, connection: sa.Connection) -> Interruption:
        driver_connection: t.Any = connection.connection.driver_connection

        # Not every driver has it.
        if not hasattr(driver_connection, "thread_id"):
            return Interruption()

        return Interruption(statement=f"KILL QUERY {driver_connection.thread_id()}")


class NamedLock(SessionLock):
    acquire_statement: t.ClassVar[sa.TextClause] = sa.text(
        "SELECT GET_LOCK(:name, 0), CONNECTION_ID()"
    )
    release_statement: t.ClassVar[sa.TextClause] = sa.text("SELECT RELEASE_LOCK(:name)")
    holder_ids_statement: t.ClassVar[sa.TextClause] = sa.text(
        "SELECT IS_USED_LOCK(:name)"
    )
    holder_statement: t.ClassVar[sa.TextClause] = sa.text(
        f"SELECT {_columns} FROM information_schema.processlist"
        " WHERE id = IS_USED_LOCK(:name)"
    )

    @property
    def parameters(self) -> dict[str, t.Any]:
        return {"name": f"async_alembic:{self._key}"}

    def prepare(self, other: sa.Connection) -> None:
        found = self._connection.exec_driver_sql("SHOW VARIABLES LIKE 'wsrep_on'")

        if found.all() == [("wsrep_on", "ON")]:
            raise LockUnavailableError(
                "the server is part of a Galera cluster, where each node has its own"
                " locks"
            )

        self._connection.exec_driver_sql(f"SET SESSION wait_timeout = {_MAX_TIMEOUT}")

    def acquire(self) -> bool:
        try:
            return super().acquire()
        except DBAPIError as e:
            if e.connection_invalidated:
                raise

            # Some versions of Galera have no named locks at all.
            raise LockUnavailableError(first_line(e)) from e
