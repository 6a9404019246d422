from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa

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
from .sqlstates import sqlstate

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    from ...results import LockHolder
    from ..column_types import ColumnTypes
    from ..computed_columns import ComputedColumns
    from ..locks import MigrationLock
    from ..migrated import MigratedConnection
    from ..observing import Observer
    from ..server_defaults import Defaults
    from .new_databases import PostgreSQLDatabases
    from .schema_objects import PostgreSQLObjects
    from .script import PostgreSQLScript


#: "lock_not_available" and "deadlock_detected"
#: (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_BLOCKED = {"55P03", "40P01"}
#: "read_only_sql_transaction"
_READ_ONLY = "25006"

#: ``to_regclass()`` looks for a table as a query does, along the search path.
#: pg_is_in_recovery() is volatile, so that a proxy asks the primary.
_place = sa.text(
    "SELECT current_database(), coalesce(:schema, n.nspname, current_schema()),"
    " c.oid IS NOT NULL,"
    " pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
    " FROM (SELECT to_regclass("
    "coalesce(quote_ident(:schema) || '.', '') || quote_ident(:table)) AS oid) AS found"
    " LEFT JOIN pg_class c ON c.oid = found.oid"
    " LEFT JOIN pg_namespace n ON n.oid = c.relnamespace"
).bindparams(
    sa.bindparam("schema", type_=sa.String), sa.bindparam("table", type_=sa.String)
)

#: Partitions and other tables that inherit, and the tables of extensions.
_dependent_tables = sa.text(
    "SELECT n.nspname, c.relname"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p') AND ("
    "EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)"
    " OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
    " AND d.objid = c.oid AND d.deptype = 'e'))"
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


class PostgreSQL(Dialect):
    # Behind a pooler, another program's statement may have the name of a prepared one.
    connect_arguments: t.ClassVar[c.Mapping[str, c.Mapping[str, t.Any]]] = {
        "asyncpg": {"statement_cache_size": 0},
        "psycopg": {"prepare_threshold": None},
    }

    maintenance_database: str | None = "postgres"
    has_search_path = True
    primary_expression = "pg_is_in_recovery()"
    reads_tables_at_once = True

    @property
    def defaults(self) -> Defaults:
        from .server_defaults import PostgreSQLDefaults

        return PostgreSQLDefaults()

    @property
    def column_types(self) -> ColumnTypes:
        from ..column_types import ColumnTypes
        from .identities import completed

        return ColumnTypes(
            fraction="precision", float_bits=53, completed_identity=completed
        )

    @property
    def schema_objects(self) -> PostgreSQLObjects:
        from .schema_objects import PostgreSQLObjects

        return PostgreSQLObjects()

    @property
    def script_style(self) -> PostgreSQLScript:
        from .script import PostgreSQLScript

        return PostgreSQLScript()

    def load(self) -> None:
        super().load()
        from . import advisory_locks as advisory_locks
        from . import client_side_binding as client_side_binding
        from . import constraint_options as constraint_options
        from . import migrated as migrated
        from . import owned_sequences as owned_sequences
        from . import pooled_sessions as pooled_sessions
        from . import settings as settings

    @contextlib.contextmanager
    def migrating(
        self, connection: sa.Connection, lock: MigrationLock | None, wait: Wait | None
    ) -> c.Iterator[MigratedConnection]:
        from .advisory_locks import AdvisoryLock
        from .client_side_binding import bind_on_client
        from .migrated import PostgreSQLConnection
        from .settings import apply_settings_last

        advisory = lock if isinstance(lock, AdvisoryLock) else None
        migrated = PostgreSQLConnection(connection, advisory, wait)

        with (
            super().migrating(connection, lock, wait),
            bind_on_client(connection),
            migrated.listening(),
        ):
            # The lock comes first.
            apply_settings_last(connection)
            yield migrated

    def use_transactions(self, connection: sa.Connection) -> None:
        # At other levels, a transaction reads as of its first statement, which can be
        # before it has the lock.
        connection.execution_options(isolation_level="READ COMMITTED")

    @contextlib.contextmanager
    def session(
        self,
        connection: sa.Connection,
        settings: c.Mapping[str, Setting],
        *,
        restore: bool,
    ) -> c.Iterator[None]:
        from .pooled_sessions import is_pooled
        from .settings import in_each_transaction

        pooled = is_pooled(connection)
        connection.rollback()

        if pooled:
            self.use_transactions(connection)

            # The session belongs to others after the transaction.
            with in_each_transaction(connection, settings):
                yield
        else:
            with super().session(connection, settings, restore=restore):
                yield

    def reset_session(self, connection: t.Any, driver: str) -> None:
        from .settings import reset_session

        reset_session(connection, driver)

    def current_heads(
        self, connection: sa.Connection, versions: sa.TableClause
    ) -> tuple[str, ...]:
        # The function is volatile, so that a proxy asks the primary.
        query = sa.select(versions.c.version_num, sa.func.pg_is_in_recovery())
        return tuple(connection.scalars(query))

    def dependent_tables(
        self, connection: sa.Connection
    ) -> set[tuple[str | None, str]]:
        return {
            (schema, name) for schema, name in connection.execute(_dependent_tables)
        }

    def other_objects(
        self, connection: sa.Connection, schema: str | None
    ) -> c.Iterable[str]:
        inspector: t.Any = sa.inspect(connection)
        types = [*inspector.get_enums(schema), *inspector.get_domains(schema)]
        return [
            *inspector.get_materialized_view_names(schema),
            *inspector.get_foreign_table_names(schema),
            *(type_["name"] for type_ in types),
        ]

    @property
    def computed_columns(self) -> ComputedColumns:
        from .computed_columns import PostgreSQLComputedColumns

        return PostgreSQLComputedColumns()

    @contextlib.contextmanager
    def comparing(self, impl: DefaultImpl) -> c.Iterator[None]:
        from .constraint_options import compare_all
        from .owned_sequences import read_at_once

        with read_at_once(impl), compare_all(impl):
            yield

    def place(self, connection: sa.Connection, schema: str | None, table: str) -> Place:
        names = {"schema": schema, "table": table}
        row = connection.execute(_place, names).one()
        database, found, has_table, is_read_only = row
        return Place(database, found, has_table or schema is not None, is_read_only)

    def server(self, connection: sa.Connection) -> str | None:
        # In microseconds.
        started = connection.scalar(sa.select(sa.func.pg_postmaster_start_time()))
        return str(started)

    def lock(
        self, connection: sa.Connection, place: Place, table: str, connect: Connect
    ) -> MigrationLock | None:
        from .advisory_locks import AdvisoryLock

        key = digest(place.database, place.schema or "", table)
        return AdvisoryLock(connection, key, connect)

    def get_setting(self, connection: sa.Connection, name: str) -> Setting | None:
        from .settings import get_setting

        return get_setting(connection, name)

    def set_setting(
        self, connection: sa.Connection, name: str, value: Setting | None
    ) -> None:
        from .settings import set_setting

        set_setting(connection, name, value)

    def is_blocked(self, error: BaseException) -> bool:
        return sqlstate(error) in _BLOCKED

    def blocker(
        self, connection: sa.Connection, statement: str | None
    ) -> LockHolder | None:
        from ..locks import fetch_holder

        return fetch_holder(connection, _blocker, {"statement": statement or ""})

    def advice(self, connection: sa.Connection, error: BaseException) -> str | None:
        from .client_side_binding import cursor_advice

        if sqlstate(getattr(error, "orig", None)) == _READ_ONLY:
            return READ_ONLY

        return cursor_advice(connection, error)

    def lint(self, statements: c.Sequence[str]) -> c.Iterable[tuple[int, str, str]]:
        from .linter import lint

        return lint(statements)

    @property
    def new_databases(self) -> PostgreSQLDatabases:
        from .new_databases import PostgreSQLDatabases

        return PostgreSQLDatabases()

    def observer(
        self, connection: sa.Connection, connect: Connect, repeated: Repeated
    ) -> Observer:
        from .observing import PostgreSQLObserver

        return PostgreSQLObserver(connection, connect, repeated)

    def interruption(self, connection: sa.Connection) -> Interruption:
        driver_connection: t.Any = connection.connection.driver_connection

        if connection.dialect.driver == "asyncpg":
            return Interruption(drop=driver_connection.terminate)

        def drop() -> None:
            shut_down(driver_connection.fileno())

        # Async drivers cancel statements themselves. Not every driver can.
        is_async = connection.dialect.is_async
        cancel = None if is_async else getattr(driver_connection, "cancel", None)
        return Interruption(cancel, drop=drop)
