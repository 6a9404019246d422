"""One batch change: a new table is made, gets the rows, and takes the old one's place.

SQLite recommends it for what ``ALTER TABLE`` cannot do
(https://www.sqlite.org/lang_altertable.html, section 7). The new table is the statement
that SQLite keeps of the old one, with what the batch changes. Indexes and triggers,
which go with the old table, are made anew from their own statements.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa

from ...errors import BatchError
from ..base import is_usable
from .broken import find_broken
from .broken import updated_columns
from .changes import Changes
from .column_names import find_columns
from .column_names import in_schema
from .column_names import rename_columns
from .column_names import unqualified
from .create_table import CreateTable
from .driver import pragma
from .new_table import NewTable
from .reflection import given_columns
from .rows import copy_rows
from .tokens import fold
from .tokens import NotUnderstoodError
from .tokens import quote

if t.TYPE_CHECKING:
    from alembic.operations.batch import BatchOperationsImpl


class Trigger(t.NamedTuple):
    """A trigger of the table.

    :param schema: ``temp``, or that of the table.
    """

    schema: str
    name: str
    sql: str


class BatchChange:
    """A batch change of a table that has to be made anew.

    :param connection: The connection to the database.
    :param batch: Alembic's batch, not flushed yet.
    :param schema: The database of the table: ``main``, ``temp``, or one that is attached.
    :param old: The statement that has created the table.
    """

    def __init__(
        self,
        connection: sa.Connection,
        batch: BatchOperationsImpl,
        schema: str,
        old: CreateTable,
    ) -> None:
        self._connection = connection
        self._batch = batch
        self._schema = schema
        self._old = old
        self._table = old.name.name or ""
        self._given: sa.Table | None = batch.copy_from
        given = given_columns(connection, batch) if self._given is None else {}
        self._changes = Changes(batch, given)

        if self._given is not None:
            names = {fold(column.name) for column in self._given.columns}
            self._changes.dropped |= old.columns.keys() - names

    @classmethod
    def of(
        cls, connection: sa.Connection, batch: BatchOperationsImpl
    ) -> BatchChange | None:
        """Look at a batch.

        :return: ``None`` if Alembic does all that is to be done: the table stays, or is
            not there, or is virtual.
        :raises BatchError: If the statement of the table is not understood.
        """
        is_made_anew = batch.recreate == "always" or (
            batch.recreate == "auto" and batch.impl.requires_recreate_in_batch(batch)
        )
        schemas = [batch.schema] if batch.schema else ["main", "temp"]

        for schema in schemas if is_made_anew else []:
            sql = connection.exec_driver_sql(
                f"SELECT sql FROM {quote(schema)}.sqlite_master"
                " WHERE type = 'table' AND name = ? COLLATE NOCASE",
                (str(batch.table_name),),
            ).scalar()

            if sql and not sql.startswith("CREATE VIRTUAL"):
                with _understanding(batch):
                    return cls(connection, batch, schema, CreateTable.parse(sql))

        return None

    def make(self, flush: c.Callable[[], None]) -> set[str]:
        """Change the table.

        :param flush: Lets Alembic do what is left of the batch.
        :return: The names, in lower case, of what Alembic alone would have lost.
        :raises BatchError: If something would be broken.
        """
        with _understanding(self._batch), self._connection.begin_nested():
            sequence = self._find_sequence()
            indexes = self._find_indexes()
            triggers = self._find_triggers()
            broken = find_broken(self._connection, self._schema)
            unseen = [name for name in indexes if self._is_of_expressions(name)]

            if self._given is None:
                kept = self._swap(indexes)
                self._batch.batch.clear()
                self._batch.recreate = "never"
                flush()
            else:
                kept = self._keep_beside(self._given, indexes)

                with self._old_way_of_renaming():
                    flush()

            for sql in kept:
                self._execute(in_schema(sql, self._schema))

            for trigger in self._find_missing(triggers):
                self._execute(in_schema(trigger.sql, trigger.schema))

            for index, options in self._changes.indexes if self._given is None else []:
                if index.table is not None:
                    self._changes.follow_renames(index.table)

                self._batch.impl.create_index(index, **options)

            self._put_back_sequence(sequence)
            self._check(broken)

        return {
            *map(str.lower, unseen),
            *(trigger.name.lower() for trigger in triggers),
        }

    # What there is before.

    def _find_sequence(self) -> int | None:
        """The last id that was given, if none may be given again."""
        if self._old.counter is None:
            return None

        found = self._execute(
            f"SELECT seq FROM {quote(self._schema)}.sqlite_sequence"
            " WHERE name = ? COLLATE NOCASE",
            self._table,
        )
        return found[0][0] if found else None

    def _find_indexes(self) -> dict[str, str]:
        """The statements of the indexes that the batch does not drop, by their names.

        :raises ValueError: If the batch drops one that is not there, as Alembic does.
        """
        indexes = {name: sql for _, name, sql in self._find("index", self._schema)}

        if self._given is not None:
            return indexes

        for name, must_be_there in self._changes.dropped_indexes.items():
            if indexes.pop(name, None) is None and must_be_there:
                raise ValueError(f"No such index: '{name}'")

        return indexes

    def _is_of_expressions(self, index: str) -> bool:
        """Whether SQLAlchemy does not see an index."""
        rows = pragma(
            self._connection, f"{quote(self._schema)}.index_xinfo({quote(index)})"
        )
        return any(row[1] == -2 for row in rows)

    def _find_triggers(self) -> list[Trigger]:
        """Find the triggers of the table, also temporary ones.

        :raises BatchError: If one is for updates of a column that goes: SQLite does not
            mind, and would never run it.
        """
        schemas = dict.fromkeys([self._schema, "temp"])
        found = [row for schema in schemas for row in self._find("trigger", schema)]
        changes = self._changes
        gone = (changes.dropped - changes.replaced) | changes.renamed.keys()

        for trigger in found:
            for column in sorted(updated_columns(trigger.sql) & gone):
                what = f"trigger '{trigger.name}'"
                raise BatchError(self._table, what, f"it names column '{column}'")

        return found

    def _find(self, kind: str, schema: str) -> list[Trigger]:
        rows = self._execute(
            f"SELECT name, sql FROM {quote(schema)}.sqlite_master"
            " WHERE type = ? AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL"
            " ORDER BY rowid",
            kind,
            self._table,
        )
        return [Trigger(schema, *row) for row in rows]

    # The change itself.

    def _swap(self, indexes: dict[str, str]) -> list[str]:
        """Put a new table in the place of the old one.

        :return: The statements of the indexes that stay.
        """
        new = NewTable(
            self._connection,
            self._batch,
            self._changes,
            self._old,
            [*indexes.values()],
        )
        name = self._free_name()
        sql = in_schema(unqualified(new.table.sql, self._table), self._schema, name)
        self._execute(sql)
        copy_rows(self._connection, self._batch, self._schema, name, new)
        self._execute(f"DROP TABLE {quote(self._schema)}.{quote(self._table)}")

        with self._old_way_of_renaming():
            self._execute(
                f"ALTER TABLE {quote(self._schema)}.{quote(name)}"
                f" RENAME TO {quote(self._table)}"
            )

        return [sql for sql in new.indexes if sql is not None]

    def _free_name(self) -> str:
        """A name for the new table that none has, as a broken batch of Alembic can
        have left its own behind.
        """
        name = f"_alembic_tmp_{self._table}"

        while self._has(name):
            name += "_"

        return name

    def _has(self, name: str) -> bool:
        query = f"SELECT 1 FROM {quote(self._schema)}.sqlite_master WHERE name = ?"
        return bool(self._execute(f"{query} COLLATE NOCASE", name))

    def _keep_beside(self, given: sa.Table, indexes: dict[str, str]) -> list[str]:
        """Find the indexes that stay where Alembic makes a table that the user gives.

        :return: Their statements.
        """
        changes = self._changes
        name = f"_alembic_tmp_{given.name}"[:50]

        if self._has(name):
            raise BatchError(
                self._table,
                None,
                f"table '{name}' is left of a batch that was broken off",
                "Drop it if its rows are no longer needed.",
            )

        known = {index.name for index in given.indexes} | changes.dropped_indexes.keys()
        kept = [sql for index, sql in indexes.items() if index not in known]
        changed = sorted(changes.dropped | changes.renamed.keys())
        [_, *found] = find_columns(self._connection, self._old.sql, kept, changed)
        return [
            rename_columns(sql, places, changes.renamed)
            for sql, places in zip(kept, found, strict=True)
            if not changes.dropped & {*places.values()}
        ]

    @contextlib.contextmanager
    def _old_way_of_renaming(self) -> c.Iterator[None]:
        """Rename a table without a look at views and triggers: those that mention the
        old table are an error until the new one has its name
        (https://www.sqlite.org/pragma.html#pragma_legacy_alter_table).
        """
        [(before,)] = pragma(self._connection, "legacy_alter_table")
        pragma(self._connection, "legacy_alter_table=ON")

        try:
            yield
        finally:
            if is_usable(self._connection):
                pragma(self._connection, f"legacy_alter_table={before}")

    # What is done afterwards.

    def _find_missing(self, triggers: list[Trigger]) -> list[Trigger]:
        there = {
            (trigger.schema, trigger.name)
            for schema in dict.fromkeys([self._schema, "temp"])
            for trigger in self._find("trigger", schema)
        }
        return [found for found in triggers if (found.schema, found.name) not in there]

    def _put_back_sequence(self, sequence: int | None) -> None:
        if sequence is None:
            return

        table = f"{quote(self._schema)}.sqlite_sequence"
        [(sql,)] = self._execute(
            f"SELECT sql FROM {quote(self._schema)}.sqlite_master"
            " WHERE type = 'table' AND name = ?",
            self._table,
        )

        if CreateTable.parse(sql).counter is not None:
            self._execute(f"DELETE FROM {table} WHERE name = ?", self._table)
            self._execute(f"INSERT INTO {table} VALUES (?, ?)", self._table, sequence)

    def _check(self, before: c.Container[tuple[str, str]]) -> None:
        for key, reason in find_broken(self._connection, self._schema).items():
            if key not in before:
                raise BatchError(self._table, key[0], reason)

    def _execute(self, statement: str, *parameters: object) -> list[t.Any]:
        result = self._connection.exec_driver_sql(statement, parameters)
        return [*result.all()] if result.returns_rows else []


@contextlib.contextmanager
def _understanding(batch: BatchOperationsImpl) -> c.Iterator[None]:
    try:
        yield
    except NotUnderstoodError as e:
        raise BatchError(
            str(batch.table_name),
            None,
            f"{e} in a statement that SQLite keeps",
            "Make the new table and copy the rows with op.execute() instead.",
        ) from e
