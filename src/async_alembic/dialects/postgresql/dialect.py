from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa

from ...errors import ConfigurationError
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
from .client_side_binding import bind_on_client
from .client_side_binding import cursor_advice

#: "lock_not_available" and "deadlock_detected"
#: (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_BLOCKED = {"55P03", "40P01"}

_name_of_database = sa.text(
    "SELECT current_database(), coalesce(:schema, current_schema(), '')"
).bindparams(sa.bindparam("schema", type_=sa.String))

# Keeps the server from ending an idle session, and routers from dropping its
# connection. Not every version has both settings.
_keep_alive = sa.text(
    "SELECT set_config(name, value, false)"
    " FROM (VALUES ('idle_session_timeout', '0'), ('tcp_keepalives_idle', '60'))"
    " AS wanted (name, value) JOIN pg_settings USING (name)"
)
_pid = sa.text("SELECT pg_backend_pid()")
_key = sa.bindparam("key", type_=sa.BigInteger)
#: The view shows a 64-bit key as two 32-bit numbers
#: (https://www.postgresql.org/docs/current/view-pg-locks.html).
_locks = (
    "pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.classid::bigint = (CAST(:key AS bigint) >> 32) & 4294967295"
    " AND l.objid::bigint = CAST(:key AS bigint) & 4294967295"
    " AND l.database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_columns = "a.pid, a.application_name, host(a.client_addr) AS address"
#: The oldest transaction of another session that holds a lock on a table, preferring
#: tables that the statement names.
_blocker = sa.text(
    f"SELECT {_columns}, a.xact_start AS since, a.query"
    " FROM pg_locks l"
    " JOIN pg_stat_activity a ON a.pid = l.pid"
    " JOIN pg_class c ON c.oid = l.relation"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE l.granted AND l.locktype = 'relation' AND l.pid <> pg_backend_pid()"
    " AND a.datname = current_database() AND a.xact_start IS NOT NULL"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " ORDER BY strpos(lower(:statement), lower(c.relname)) > 0 DESC, a.xact_start"
    " LIMIT 1"
).bindparams(sa.bindparam("statement", type_=sa.String))

_get_setting = sa.text("SELECT current_setting(:name, true)").bindparams(
    sa.bindparam("name", type_=sa.String)
)
_set_setting = sa.text("SELECT set_config(:name, :value, false)").bindparams(
    sa.bindparam("name", type_=sa.String), sa.bindparam("value", type_=sa.String)
)


class PostgreSQL(Dialect):
    """Locks are session-level advisory locks, which are local to the database
    (https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS).
    """

    @contextlib.contextmanager
    def migrating(
        self, connection: sa.Connection, wait: Wait | None
    ) -> c.Iterator[MigratedConnection]:
        with super().migrating(connection, wait) as migration:
            with bind_on_client(connection):
                yield migration

    def lock_key(
        self, connection: sa.Connection, schema: str | None, table: str
    ) -> str | None:
        row = connection.execute(_name_of_database, {"schema": schema}).one()
        return digest(*row, table)

    def session_lock(self, connection: sa.Connection, key: str) -> SessionLock:
        return AdvisoryLock(connection, key)

    def get_setting(self, connection: sa.Connection, name: str) -> Setting | None:
        value: str | None = connection.scalar(_get_setting, {"name": name})

        # A name with a dot is a custom setting, which need not exist.
        if value is None and "." not in name:
            raise ConfigurationError(
                f"app.config['ALEMBIC_SESSION']['{name}'] is not a setting of"
                " this server. Correct the name; 'SHOW ALL' lists all settings."
            )

        return value

    def set_setting(
        self, connection: sa.Connection, name: str, value: Setting | None
    ) -> None:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        text = "" if value is None else text
        connection.execute(_set_setting, {"name": name, "value": text})

    def is_blocked(self, error: BaseException) -> bool:
        code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        return code in _BLOCKED

    def blocker(
        self, connection: sa.Connection, statement: str | None
    ) -> LockHolder | None:
        return fetch_holder(connection, _blocker, {"statement": statement or ""})

    def advice(self, connection: sa.Connection, error: BaseException) -> str | None:
        return cursor_advice(connection, error)

    def interruption(self, connection: sa.Connection) -> Interruption:
        # Async drivers cancel statements themselves.
        if connection.dialect.is_async:
            return Interruption()

        # Not every driver has it.
        driver_connection = connection.connection.driver_connection
        return Interruption(getattr(driver_connection, "cancel", None))


class AdvisoryLock(SessionLock):
    """Polled instead of waited for: a statement that waits holds a snapshot, and
    ``CREATE INDEX CONCURRENTLY`` waits for all snapshots.
    """

    acquire_statement: t.ClassVar[sa.TextClause] = sa.text(
        "SELECT pg_try_advisory_lock(:key), pg_backend_pid()"
    ).bindparams(_key)
    release_statement: t.ClassVar[sa.TextClause] = sa.text(
        "SELECT pg_advisory_unlock(:key)"
    ).bindparams(_key)
    holder_ids_statement: t.ClassVar[sa.TextClause] = sa.text(
        f"SELECT l.pid FROM {_locks}"
    ).bindparams(_key)
    holder_statement: t.ClassVar[sa.TextClause] = sa.text(
        f"SELECT {_columns}, a.state_change AS since,"
        " CASE WHEN a.state <> 'idle' THEN a.query END AS query"
        " FROM pg_stat_activity a"
        f" WHERE a.pid = (SELECT l.pid FROM {_locks} LIMIT 1)"
    ).bindparams(_key)

    @property
    def parameters(self) -> dict[str, t.Any]:
        return {"key": int.from_bytes(bytes.fromhex(self._key), signed=True)}

    def prepare(self, other: sa.Connection) -> None:
        # The other connection is in a transaction, so it keeps its session. If that
        # was this connection's, or if this one has another now, a pooler shares them.
        first = self._connection.scalar(_pid)
        others = other.scalar(_pid)

        if first == others or first != self._connection.scalar(_pid):
            raise LockUnavailableError(
                "the connection goes through a pooler in transaction mode, so it has no"
                " session of its own",
                "Use an engine that connects to the server directly, or to a pooler in"
                " session mode",
            )

        self._connection.execute(_keep_alive)
