"""Views and triggers that SQLite cannot run.

SQLite resolves the names in all of them when a column of any table is renamed
(https://www.sqlite.org/lang_altertable.html, section 3). It compiles none of them. So
what triggers write is read from their statements.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..migrated import is_usable
from .driver import execute
from .driver import pragma
from .tokens import groups
from .tokens import literal
from .tokens import quote
from .tokens import split
from .tokens import tokens
from .trigger_writes import count_columns
from .trigger_writes import TriggerWrites

_SCRATCH = "async_alembic scratch"


class Program(t.NamedTuple):
    """A view or a trigger.

    :param kind: ``"view"`` or ``"trigger"``.
    :param table: The table or the view of a trigger; the name of a view.
    """

    schema: str
    kind: str
    name: str
    table: str
    sql: str

    @property
    def what(self) -> str:
        if self.kind == "view":
            return f"view '{self.name}'"

        return f"triggers of '{self.table}'"

    @property
    def place(self) -> str:
        return f"{quote(self.schema)}.{quote(self.name)}"


@contextlib.contextmanager
def legacy_alter_table(connection: sa.Connection, value: str) -> c.Iterator[None]:
    """Set whether a table is renamed without a check of views and triggers
    (https://www.sqlite.org/pragma.html#pragma_legacy_alter_table).

    :param value: ``"ON"`` or ``"OFF"``.
    """
    before = pragma(connection, "legacy_alter_table")
    pragma(connection, f"legacy_alter_table={value}")

    try:
        yield
    finally:
        # Turso does not have it.
        if before and is_usable(connection):
            pragma(connection, f"legacy_alter_table={before[0][0]}")


def find_broken(connection: sa.Connection, schema: str) -> dict[tuple[str, str], str]:
    """Find what SQLite cannot run, and why.

    :param connection: A connection; its databases stay as they are.
    :param schema: The database that is looked at, beside the temporary one.
    :return: The reasons, by what is broken and its name.
    """
    programs = [
        Program(database, *row)
        for database in dict.fromkeys([schema, "temp"])
        for row in execute(
            connection,
            f"SELECT type, name, tbl_name, sql FROM {quote(database)}.sqlite_master"
            " WHERE type IN ('view', 'trigger') ORDER BY type DESC, tbl_name",
        )
    ]

    if not programs:
        return {}

    with (
        legacy_alter_table(connection, "OFF"),
        connection.begin_nested() as savepoint,
    ):
        broken = _find_unresolved(connection, schema, programs)

        for program in programs:
            if program.kind == "trigger":
                writes = TriggerWrites(connection, program.schema, program.sql)

                for reason in writes.find_wrong():
                    broken[program.what, program.name] = reason

        savepoint.rollback()

    return broken


def _find_unresolved(
    connection: sa.Connection, schema: str, programs: list[Program]
) -> dict[tuple[str, str], str]:
    """Find what names something that is missing.

    :param programs: All. What is found is dropped and removed, as SQLite tells only the
        first one.
    """
    broken: dict[tuple[str, str], str] = {}
    table = f"{quote(schema)}.{quote(_SCRATCH)}"
    execute(connection, f"CREATE TABLE {table} (a)")

    while reason := _rename_column(connection, table):
        for program in programs:
            start = f"error in {program.kind} {program.name}: "

            if reason.startswith(start):
                break
        else:
            # It is about a table, such as one with an unknown collation.
            return broken

        broken[program.what, program.name] = reason.removeprefix(start)
        execute(connection, f"DROP {program.kind} IF EXISTS {program.place}")
        programs.remove(program)

    for program in programs:
        if reason := _count_columns(connection, program):
            broken[program.what, program.name] = reason

        for text in _find_texts(connection, program):
            reason = f"without a column of this name, {text} is a text"
            broken[program.what, f"{program.name} {text}"] = reason

    return broken


def _count_columns(connection: sa.Connection, program: Program) -> str:
    """Count the columns of a view that names them, and return the reason if it has
    another number of names.
    """
    found = tokens(program.sql)

    if program.kind == "trigger" or found[3].text != "(":
        return ""

    names = next(groups(found))
    select = program.sql[found[3 + len(names)].end :]
    expected = len(split(names[1:-1]))
    count = count_columns(connection, program.schema, select)

    if count in {0, expected}:
        return ""

    return f"expected {expected} columns for '{program.name}' but got {count}"


def _find_texts(connection: sa.Connection, program: Program) -> set[str]:
    """Find names in double quotes that name nothing, so that they are texts
    (https://www.sqlite.org/quirks.html, section 8). In the statements, SQLite has given
    them single quotes when the column was renamed.
    """
    found = execute(
        connection,
        f"SELECT sql FROM {quote(program.schema)}.sqlite_master"
        f" WHERE type = '{program.kind}' AND name = {literal(program.name)}",
    )
    # A view that was dropped has taken its triggers with it.
    return {
        old.text
        for (sql,) in found
        for old, new in zip(tokens(program.sql), tokens(sql), strict=True)
        if old.kind != new.kind
    }


def _rename_column(connection: sa.Connection, table: str) -> str:
    """Rename a column, and return the reason if that is not possible."""
    try:
        execute(connection, f"ALTER TABLE {table} RENAME COLUMN a TO b")
    except DBAPIError as e:
        return str(e.orig)

    return ""
