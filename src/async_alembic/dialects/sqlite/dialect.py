from __future__ import annotations

import collections.abc as c
import contextlib
import re
import sys
import typing as t

import sqlalchemy as sa

from ...errors import ConfigurationError
from ..base import Dialect
from ..base import Interruption
from ..base import Place
from ..base import Setting
from ..base import Wait
from .driver import find_file
from .driver import is_blocked
from .driver import pragma

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    from ...results import LockHolder
    from ..computed_columns import ComputedColumns
    from ..locks import MigrationLock
    from ..migrated import MigratedConnection
    from .new_databases import SQLiteDatabases
    from .script import SQLiteScript


#: ``sqlite3.LEGACY_TRANSACTION_CONTROL``, new in Python 3.12.
_LEGACY_TRANSACTION_CONTROL = -1


class SQLite(Dialect):
    """SQLite can roll back DDL, if a transaction was begun.

    ``sqlite3`` only begins one before DML, so that a failed migration would stay half
    applied (https://docs.python.org/3/library/sqlite3.html, "Transaction control").
    Foreign keys cannot be turned off inside a transaction. While they are on, dropping
    a parent table, as batch migrations do, deletes its children
    (https://www.sqlite.org/lang_altertable.html, section 7).

    There is only one writer at a time, so the transaction locks out other migrators.
    """

    # With 'autocommit=True', sqlite3 ignores commit() and rollback().
    connect_arguments: t.ClassVar[c.Mapping[str, c.Mapping[str, t.Any]]] = (
        dict.fromkeys(
            ["pysqlite", "aiosqlite"],
            {"autocommit": _LEGACY_TRANSACTION_CONTROL},
        )
        if sys.version_info >= (3, 12)
        else {}
    )
    transactional_ddl: bool | None = True
    needs_batch: bool = True
    locks_by_transaction: bool = True
    enforces_lengths: bool = False
    schemas_are_databases: bool = True

    @property
    def computed_columns(self) -> ComputedColumns:
        from .expressions import SQLiteComputedColumns

        return SQLiteComputedColumns()

    def comparing(self, impl: DefaultImpl) -> contextlib.AbstractContextManager[None]:
        from .expressions import reading_expressions

        return reading_expressions(impl)

    def use_conversions(self, impl: DefaultImpl) -> None:
        from .conversions import convert

        def cast(existing: t.Any, transfer: dict[str, t.Any], new: t.Any) -> None:
            expression = transfer["expr"]
            transfer["expr"] = convert(expression, existing.type, new, impl.dialect)

        impl.cast_for_batch_migrate = cast  # type: ignore[method-assign]

    @property
    def script_style(self) -> SQLiteScript:
        from .script import SQLiteScript

        return SQLiteScript()

    def load(self) -> None:
        super().load()
        from . import migrated as migrated

    @contextlib.contextmanager
    def migrating(
        self, connection: sa.Connection, lock: MigrationLock | None, wait: Wait | None
    ) -> c.Iterator[MigratedConnection]:
        """Begin a real transaction where SQLAlchemy begins one. Enforced foreign keys
        are off until the end, and checked before each commit.

        :param connection: A connection outside of a transaction.
        :param lock: Not used.
        :param wait: Waits for other writers.
        """
        from .migrated import migrating

        with migrating(connection, wait) as migrated:
            yield migrated

    def use_transactions(self, connection: sa.Connection) -> None:
        from ..migrated import is_autocommit

        if is_autocommit(connection):
            connection.execution_options(isolation_level="SERIALIZABLE")

    def place(self, connection: sa.Connection, schema: str | None, table: str) -> Place:
        return Place(find_file(connection, schema), schema)

    def get_setting(self, connection: sa.Connection, name: str) -> Setting | None:
        found = pragma(connection, name) if re.fullmatch(r"\w+", name) else []

        if not found:
            raise ConfigurationError(
                f"app.config['ALEMBIC_SESSION']['{name}'] is not a PRAGMA with a"
                " value. Correct the name."
            )

        value: Setting | None = found[0][0]
        return value

    def set_setting(
        self, connection: sa.Connection, name: str, value: Setting | None
    ) -> None:
        # SQLite ignores a name that it doesn't know.
        self.get_setting(connection, name)
        text = str(value).replace("'", "''")
        pragma(connection, f"{name}='{text}'")

    def dependent_tables(
        self, connection: sa.Connection
    ) -> set[tuple[str | None, str]]:
        # Without a model: what a module such as FTS5 or R*Tree shows as a table, and
        # where it keeps that. New in SQLite 3.37.
        return {
            (schema, name)
            for schema, name, kind, *_ in pragma(connection, "table_list")
            if kind in {"virtual", "shadow"}
        }

    def is_blocked(self, error: BaseException) -> bool:
        return is_blocked(error)

    def blocker(
        self, connection: sa.Connection, statement: str | None
    ) -> LockHolder | None:
        from .file_locks import find_blocker

        return find_blocker(connection)

    def writer(self, connection: sa.Connection) -> LockHolder | None:
        from .file_locks import find_writer

        return find_writer(connection)

    @property
    def new_databases(self) -> SQLiteDatabases:
        from .new_databases import SQLiteDatabases

        return SQLiteDatabases()

    def interruption(self, connection: sa.Connection) -> Interruption:
        driver_connection: t.Any = connection.connection.driver_connection
        # Not every driver has it.
        return Interruption(getattr(driver_connection, "interrupt", None))
