"""A batch change recreates a table: a new one gets the rows and replaces the old one.

SQLite recommends this for what ``ALTER TABLE`` cannot do
(https://www.sqlite.org/lang_altertable.html, section 7). The statement of the new table
is that of the old one, edited. Indexes and triggers, which are dropped with the old
table, are recreated from their own statements.
"""

from __future__ import annotations

import collections.abc as c
import sqlite3
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ...errors import BatchError
from .broken import find_broken
from .broken import legacy_alter_table
from .changes import Changes
from .column_names import find_columns
from .column_names import in_schema
from .column_names import unqualified
from .conversions import check_values
from .create_table import CreateTable
from .driver import pragma
from .new_table import keep_indexes
from .new_table import NewTable
from .rows import copy_rows
from .tokens import fold
from .tokens import NotUnderstoodError
from .tokens import quote
from .trigger_writes import updated_columns

if t.TYPE_CHECKING:
    from alembic.operations.batch import BatchOperationsImpl


class Part(t.NamedTuple):
    """An index or a trigger of the table; a trigger can be a temporary one."""

    schema: str
    name: str
    sql: str


class BatchChange:
    """A batch change that recreates a table.

    :param connection: The connection to the database.
    :param batch: Alembic's batch, not flushed yet.
    :param schema: The database of the table: ``main``, ``temp``, or an attached one.
    :param sql: The statement that has created the table.
    """

    def __init__(
        self,
        connection: sa.Connection,
        batch: BatchOperationsImpl,
        schema: str,
        sql: str,
    ) -> None:
        self._connection = connection
        self._batch = batch
        self._schema = schema
        self._sql = sql
        self._table = str(batch.table_name)
        self._changes = Changes(batch)

    @classmethod
    def of(
        cls, connection: sa.Connection, batch: BatchOperationsImpl
    ) -> BatchChange | None:
        """Return the change, or ``None`` to leave it to Alembic: the batch does not
        recreate the table, or the table is missing or virtual.
        """
        recreates = batch.recreate == "always" or (
            batch.recreate == "auto" and batch.impl.requires_recreate_in_batch(batch)
        )
        schemas = [batch.schema] if batch.schema else ["main", "temp"]

        for schema in schemas if recreates else []:
            sql = connection.exec_driver_sql(
                f"SELECT sql FROM {quote(schema)}.sqlite_master"
                " WHERE type = 'table' AND name = ? COLLATE NOCASE",
                (str(batch.table_name),),
            ).scalar()

            if sql and not sql.startswith("CREATE VIRTUAL"):
                return cls(connection, batch, schema, sql)

        return None

    def make(self, flush: c.Callable[[], None]) -> set[tuple[str, str]]:
        """Change the table.

        :param flush: Lets Alembic execute the rest of the batch.
        :return: The schema and the folded name of each index and trigger that Alembic
            alone would have lost.
        :raises BatchError: If something would be broken, or is not understood.
        """
        try:
            with self._connection.begin_nested():
                return self._make(flush)
        except NotUnderstoodError as e:
            advice = "Create the new table and copy the rows with op.execute()."
            raise BatchError(self._table, None, str(e), advice) from e
        except DBAPIError as e:
            # Others, such as that of a row, or of an interruption, say more themselves.
            if getattr(e.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
                raise

            advice = "Correct the revision or the table."
            raise BatchError(self._table, None, str(e.orig), advice) from e

    def _make(self, flush: c.Callable[[], None]) -> set[tuple[str, str]]:
        old = CreateTable.parse(self._sql)
        # The batch can write it in other letters.
        self._table = old.name.name or self._table
        given: sa.Table | None = self._batch.copy_from
        converted = self._changes.converted
        check_values(self._connection, self._table, self._schema, converted)

        if given is not None:
            names = {fold(column.name) for column in given.columns}
            self._changes.dropped |= old.columns.keys() - names
        elif self._changes.gone:
            self._notify_listeners()

        sequence = self._find_sequence(old)
        found = self._find("index", self._schema)
        lost = [x for x in found if self._is_of_expressions(x.name)]
        indexes = {index.name: index.sql for index in found}
        triggers = self._find_triggers()
        broken = find_broken(self._connection, self._schema)

        if given is not None:
            kept = self._keep_beside(given, old, indexes)

            with legacy_alter_table(self._connection, "ON"):
                flush()
        else:
            kept = self._swap(old, indexes)

        for sql in kept:
            self._execute(in_schema(sql, self._schema))

        there = {x[:2] for x in self._find("trigger", self._schema, "temp")}

        for trigger in triggers:
            if trigger[:2] not in there:
                self._execute(in_schema(trigger.sql, trigger.schema))

        if given is None:
            for index, options in self._changes.indexes:
                if index.table is not None:
                    self._changes.follow_renames(index.table)

                self._batch.impl.create_index(index, **options)

            self._batch.batch.clear()
            self._batch.recreate = "never"
            flush()

        # INSERT has added a row for the new table if that has AUTOINCREMENT.
        for (last,) in sequence:
            self._execute(
                f"UPDATE {quote(self._schema)}.sqlite_sequence SET seq = ?"
                " WHERE name = ? COLLATE NOCASE",
                last,
                self._table,
            )

        for key, reason in find_broken(self._connection, self._schema).items():
            if key not in broken:
                raise BatchError(self._table, key[0], reason)

        return {(fold(x.schema), fold(x.name)) for x in (*lost, *triggers)}

    def _notify_listeners(self) -> None:
        """Tell the app's listeners that columns are dropped, as Alembic does with the
        whole table: those of GeoAlchemy2 drop the triggers of SpatiaLite.
        """
        inspector = sa.inspect(self._connection)
        table = sa.Table(self._table, sa.MetaData(), schema=self._batch.schema)

        for found in inspector.get_columns(self._table, self._schema):
            if fold(found["name"]) in self._changes.gone:
                table.dispatch.column_reflect(inspector, table, found)
                table.append_column(sa.Column(found["name"], found["type"]))

        for notify in (table.dispatch.before_drop, table.dispatch.after_drop):
            notify(
                table,
                self._connection,
                checkfirst=False,
                _ddl_runner=self._batch.impl,
            )

    # The state before.

    def _find_sequence(self, old: CreateTable) -> list[t.Any]:
        """Find the last id of a table with ``AUTOINCREMENT``."""
        if old.counter is None:
            return []

        return self._execute(
            f"SELECT seq FROM {quote(self._schema)}.sqlite_sequence"
            " WHERE name = ? COLLATE NOCASE",
            self._table,
        )

    def _is_of_expressions(self, index: str) -> bool:
        """Whether an index is of expressions, so that SQLAlchemy does not see it."""
        schema = quote(self._schema)
        rows = pragma(self._connection, f"{schema}.index_xinfo({quote(index)})")
        return any(row[2] is None and row[5] for row in rows)

    def _find_triggers(self) -> list[Part]:
        """Find the triggers of the table.

        :raises BatchError: If one is for updates of a column that is dropped or
            renamed. SQLite would keep it, and never run it.
        """
        found = self._find("trigger", self._schema, "temp")
        gone = self._changes.gone | self._changes.renamed.keys()

        for trigger in found:
            for column in sorted(updated_columns(trigger.sql) & gone):
                what = f"trigger '{trigger.name}'"
                raise BatchError(self._table, what, f"it names column '{column}'")

        return found

    def _find(self, kind: str, *schemas: str) -> list[Part]:
        return [
            Part(schema, *row)
            for schema in dict.fromkeys(schemas)
            for row in self._execute(
                f"SELECT name, sql FROM {quote(schema)}.sqlite_master"
                " WHERE type = ? AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL"
                " ORDER BY rowid",
                kind,
                self._table,
            )
        ]

    # The change itself.

    def _swap(self, old: CreateTable, indexes: dict[str, str]) -> list[str]:
        """Replace the old table by a new one.

        :return: The statements of the indexes to recreate.
        """
        for name, must_be_there in self._changes.dropped_indexes.items():
            if indexes.pop(name, None) is None and must_be_there:
                # As Alembic says it.
                raise ValueError(f"No such index: '{name}'")

        statements = [*indexes.values()]
        new = NewTable(self._connection, self._batch, self._changes, old, statements)
        name = f"_alembic_tmp_{self._table}"

        # Alembic alone can have left one behind.
        while self._has(name):
            name += "_"

        schema = quote(self._schema)
        sql = unqualified(new.table.sql, self._table)
        self._execute(in_schema(sql, self._schema, name))
        into = sa.Table(name, sa.MetaData(), schema=self._schema)
        copy_rows(self._connection, self._table, self._changes, new, into)
        self._execute(f"DROP TABLE {schema}.{quote(self._table)}")

        with legacy_alter_table(self._connection, "ON"):
            self._execute(
                f"ALTER TABLE {schema}.{quote(name)} RENAME TO {quote(self._table)}"
            )

        return new.indexes

    def _keep_beside(
        self, given: sa.Table, old: CreateTable, indexes: dict[str, str]
    ) -> list[str]:
        """Return the statements of the indexes to recreate if Alembic creates the
        table, from ``copy_from``.
        """
        changes = self._changes
        name = f"_alembic_tmp_{given.name}"[:50]

        if self._has(name):
            reason = f"table '{name}' is left over from a batch that was broken off"
            advice = "Drop it if you do not need its rows."
            raise BatchError(self._table, None, reason, advice)

        known = {index.name for index in given.indexes} | changes.dropped_indexes.keys()
        kept = [sql for name, sql in indexes.items() if name not in known]
        columns = changes.find_concerned(old.columns)
        places = find_columns(self._connection, [old.sql, *kept], columns)
        return keep_indexes(kept, places[1:], changes)

    def _has(self, name: str) -> bool:
        master = f"{quote(self._schema)}.sqlite_master"
        query = f"SELECT 1 FROM {master} WHERE name = ? COLLATE NOCASE"
        return bool(self._execute(query, name))

    def _execute(self, statement: str, *parameters: object) -> list[t.Any]:
        result = self._connection.exec_driver_sql(statement, parameters)
        # On libSQL, every statement returns rows, but some have no columns.
        return [*result.all()] if result.returns_rows and result.keys() else []
