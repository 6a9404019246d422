"""What Alembic's "move and copy" of a table loses on SQLite, and how it is kept.

It makes a new table from what SQLAlchemy reflects, copies the rows, drops the old
table, and gives the new one its name. What reflection does not see would be gone, and
so would the triggers, which go with the old table.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import re
import typing as t

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from ...errors import BatchError
from ..constraint_names import CONVENTION
from ..constraint_names import foreign_key_name
from ..constraint_names import unique_name
from ..migrated import is_usable
from .definition import names_in
from .definition import parse_table
from .definition import quote
from .definition import rename_columns
from .definition import TableDefinition
from .definition import tokens
from .driver import pragma
from .rebuild import Changes
from .rebuild import Rebuild

if t.TYPE_CHECKING:
    from alembic.operations.batch import BatchOperationsImpl

_created = re.compile(r"CREATE (UNIQUE )?(INDEX|TRIGGER) ", re.IGNORECASE)


class Index(t.NamedTuple):
    """An index that Alembic does not make anew as it was, or trips over.

    :param sql: The statement that makes it anew; ``None`` if a column of it is dropped,
        which it goes with, as a constraint does.
    :param is_of_expressions: Whether SQLAlchemy does not see it at all.
    """

    name: str
    sql: str | None
    is_of_expressions: bool


class Recreation:
    """A table that Alembic is about to make anew.

    :param connection: The connection to the database.
    :param batch: Alembic's batch, not flushed yet.
    :param old: What the table is now.
    """

    def __init__(
        self,
        connection: sa.Connection,
        batch: BatchOperationsImpl,
        old: TableDefinition,
    ) -> None:
        self._connection = connection
        self._batch = batch
        self._old = old
        self._table = str(batch.table_name)
        self._schema = str(batch.schema or "main")
        self._changes = Changes(batch.batch, batch.reflect_args)
        self._given: sa.Table | None = batch.copy_from

        if self._given is not None:
            given = {column.name.lower() for column in self._given.columns}
            self._changes.dropped |= old.columns.keys() - given

    @classmethod
    def of(
        cls, connection: sa.Connection, batch: BatchOperationsImpl
    ) -> Recreation | None:
        """What is to be kept.

        :return: ``None`` if the table is not made anew, or is not there.
        """
        is_recreated = batch.recreate == "always" or (
            batch.recreate == "auto" and batch.impl.requires_recreate_in_batch(batch)
        )

        if not is_recreated:
            return None

        old = _find_definition(connection, batch)
        return cls(connection, batch, old) if old else None

    @contextlib.contextmanager
    def keeping(self) -> c.Iterator[set[str]]:
        """Keep what would be lost while Alembic makes the table anew.

        :return: The names, in lower case, of what is put back at the end that Alembic
            would have lost.
        :raises BatchError: If something would be broken.
        """
        with self._connection.begin_nested():
            sequence = self._find_sequence()
            indexes = self._find_indexes()
            triggers = self._find_triggers()
            broken = self._find_broken()

            for index in indexes:
                self._execute(f"DROP INDEX {quote(self._schema)}.{quote(index.name)}")

            with self._old_way_of_renaming(), self._completing():
                unseen = [index.name for index in indexes if index.is_of_expressions]
                yield {name.lower() for name in (*unseen, *triggers)}

            for sql in [*(index.sql for index in indexes), *triggers.values()]:
                if sql is not None:
                    self._execute(self._in_schema(sql))

            self._put_back_sequence(sequence)
            self._check(broken)

    # What there is before.

    def _find_sequence(self) -> int | None:
        """The last id that was given, if none may be given again."""
        if not self._old.autoincrements:
            return None

        found = self._execute(
            f"SELECT seq FROM {quote(self._schema)}.sqlite_sequence"
            " WHERE name = ? COLLATE NOCASE",
            self._table,
        )
        return found[0][0] if found else None

    def _find_indexes(self) -> list[Index]:
        """The indexes that Alembic does not see as they are, or trips over."""
        changes = self._changes
        schema = quote(self._schema)
        rows = pragma(self._connection, f"{schema}.index_list({quote(self._table)})")
        partial = {row[1] for row in rows if row[4]}
        given = (
            {index.name for index in self._given.indexes}
            if self._given is not None
            else {}
        )
        found = []

        for name, sql in self._find("index"):
            # What the batch drops, Alembic must find.
            if name in changes.dropped_indexes or name in given:
                continue

            start = next(token.start for token in tokens(sql) if token.text == "(")
            is_gone = bool(names_in(sql[start:]) & changes.dropped)
            columns = self._columns_of(name)

            if (
                is_gone
                or name in partial
                or self._given is not None
                or not all(map(self._is_plain, columns))
            ):
                new = rename_columns(sql, changes.renamed, self._table, start)
                is_of_expressions = any(column is None for column, *_ in columns)
                found.append(Index(name, None if is_gone else new, is_of_expressions))

        return found

    def _columns_of(self, index: str) -> list[tuple[t.Any, ...]]:
        """The name, the order and the collation of each column."""
        rows = pragma(
            self._connection, f"{quote(self._schema)}.index_xinfo({quote(index)})"
        )
        return [row[2:5] for row in rows if row[5]]

    def _is_plain(self, column: tuple[t.Any, ...]) -> bool:
        name, descends, collation = column

        if name is None or descends:
            return False

        own = self._old.columns[name.lower()].collation or "BINARY"
        return bool(collation.upper() == own.upper())

    def _find_triggers(self) -> dict[str, str]:
        triggers = dict(self._find("trigger"))
        gone = self._changes.dropped | self._changes.renamed.keys()

        for name, sql in triggers.items():
            ends = [token.start for token in tokens(sql) if token.keyword == "BEGIN"]

            # SQLite does not mind, and would never run it.
            for column in sorted(names_in(sql[: ends[0]]) & gone):
                raise BatchError(
                    self._table, f"trigger '{name}'", f"it names column '{column}'"
                )

        return triggers

    def _find(self, kind: str) -> list[t.Any]:
        """The name and the statement of each that belongs to the table."""
        return self._execute(
            f"SELECT name, sql FROM {quote(self._schema)}.sqlite_master"
            " WHERE type = ? AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL"
            " ORDER BY rowid",
            kind,
            self._table,
        )

    def _find_broken(self) -> dict[str, str]:
        """The views and the triggers that SQLite cannot run, and why."""
        found = self._execute(
            "SELECT DISTINCT type, CASE type WHEN 'view' THEN name ELSE tbl_name END"
            f" FROM {quote(self._schema)}.sqlite_master"
            " WHERE type IN ('view', 'trigger') ORDER BY 1 DESC, 2"
        )
        broken: dict[str, str] = {}

        for kind, name in found:
            what = f"view '{name}'" if kind == "view" else f"triggers of '{name}'"

            try:
                for statement in self._uses(kind, name):
                    self._execute(f"EXPLAIN {statement}")
            except DBAPIError as e:
                broken[what] = str(e.orig)

        return broken

    def _uses(self, kind: str, name: str) -> c.Iterator[str]:
        """Statements for which SQLite must look at a view, or at all triggers."""
        table = f"{quote(self._schema)}.{quote(name)}"

        if kind == "view":
            yield f"SELECT * FROM {table}"
        else:
            columns = pragma(
                self._connection, f"{quote(self._schema)}.table_xinfo({quote(name)})"
            )
            same = [
                f"{quote(row[1])} = {quote(row[1])}" for row in columns if not row[6]
            ]
            yield f"INSERT INTO {table} DEFAULT VALUES"
            yield f"UPDATE {table} SET {', '.join(same)}"
            yield f"DELETE FROM {table}"

    # What happens meanwhile.

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

    @contextlib.contextmanager
    def _completing(self) -> c.Iterator[None]:
        batch = self._batch

        # Who gives a whole table has said what is to be in it.
        if self._given is not None:
            yield
            return

        rebuild = Rebuild(
            self._connection, self._table, batch.schema, self._old, self._changes
        )

        if self._drops_unnamed() and batch.naming_convention is None:
            batch.naming_convention = CONVENTION

        batch.table_args = rebuild.take_checks(batch.table_args)
        # Before those of the user, who has the last word.
        batch.reflect_kwargs["listeners"].insert(
            0, ("column_reflect", rebuild.reflect_column)
        )

        def before_execute(
            connection: sa.Connection,
            element: t.Any,
            multiparams: t.Any,
            params: t.Any,
            execution_options: t.Any,
        ) -> tuple[t.Any, t.Any, t.Any]:
            if isinstance(element, CreateTable):
                element = rebuild.complete(element)
            elif isinstance(element, sa.Insert):
                element = rebuild.copy(element)

            return element, multiparams, params

        event.listen(self._connection, "before_execute", before_execute, retval=True)

        try:
            yield
        finally:
            event.remove(self._connection, "before_execute", before_execute)

    def _drops_unnamed(self) -> bool:
        """Whether a constraint is dropped by the name that a revision was generated
        with, as it has none.
        """
        names = set()

        for constraint in self._old.constraints:
            if constraint.name is not None:
                continue

            if constraint.kind == "UNIQUE":
                names.add(unique_name(self._table, constraint.columns))
            elif constraint.kind == "FOREIGN":
                parent = constraint.parent
                names.add(foreign_key_name(self._table, constraint.columns, parent))

        return bool(names & self._changes.dropped_constraints)

    # What is done afterwards.

    def _in_schema(self, sql: str) -> str:
        """A statement as SQLite keeps it, which is without the schema."""
        return _created.sub(lambda m: f"{m[0]}{quote(self._schema)}.", sql, count=1)

    def _put_back_sequence(self, sequence: int | None) -> None:
        new = _find_definition(self._connection, self._batch)

        if sequence is not None and new is not None and new.autoincrements:
            table = f"{quote(self._schema)}.sqlite_sequence"
            self._execute(f"DELETE FROM {table} WHERE name = ?", self._table)
            self._execute(f"INSERT INTO {table} VALUES (?, ?)", self._table, sequence)

    def _check(self, before: c.Collection[str]) -> None:
        for what, reason in self._find_broken().items():
            if what not in before:
                raise BatchError(self._table, what, reason)

    def _execute(self, statement: str, *parameters: object) -> list[t.Any]:
        result = self._connection.exec_driver_sql(statement, parameters)
        return [*result.all()] if result.returns_rows else []


def _find_definition(
    connection: sa.Connection, batch: BatchOperationsImpl
) -> TableDefinition | None:
    sql = connection.exec_driver_sql(
        f"SELECT sql FROM {quote(batch.schema or 'main')}.sqlite_master"
        " WHERE type = 'table' AND name = ? COLLATE NOCASE",
        (str(batch.table_name),),
    ).scalar()
    return parse_table(sql) if sql else None
