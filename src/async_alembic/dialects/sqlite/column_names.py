"""Finds where statements name columns, with the help of SQLite.

A word can be the name of a column, a function, a collation, a type or a table. SQLite
tells them apart when it renames a column. So each column is renamed in a temporary copy
of the table, which is rolled back.
"""

from __future__ import annotations

import collections.abc as c

import sqlalchemy as sa

from .driver import execute
from .tokens import edit
from .tokens import fold
from .tokens import literal
from .tokens import NotUnderstoodError
from .tokens import quote
from .tokens import tokens

_MARK = "async_alembic column "


def find_columns(
    connection: sa.Connection, statements: list[str], columns: list[str]
) -> list[dict[int, str]]:
    """Find where columns are named.

    :param connection: A connection; its databases stay as they are.
    :param statements: Those that create a table and its indexes.
    :param columns: The folded names of the columns that are looked for.
    :return: For each statement, the folded names of columns by their places.
    :raises NotUnderstoodError: If SQLite edits more than names in a statement.
    """
    if not columns:
        return [{} for _ in statements]

    name = tokens(statements[0])[2].name or ""
    table = f"temp.{quote(name)}"

    with connection.begin_nested() as savepoint:
        execute(connection, f"DROP TABLE IF EXISTS {table}")

        # SQLite would check and edit them as well.
        for kind, other in execute(
            connection,
            "SELECT type, name FROM temp.sqlite_master"
            " WHERE type IN ('trigger', 'view')",
        ):
            execute(connection, f"DROP {kind} IF EXISTS temp.{quote(other)}")

        for sql in statements:
            execute(connection, in_schema(sql, "temp"))

        for number, column in enumerate(columns):
            new = quote(f"{_MARK}{number}")
            rename = f"RENAME COLUMN {quote(column)} TO {new}"
            execute(connection, f"ALTER TABLE {table} {rename}")

        renamed = execute(
            connection,
            f"SELECT sql FROM temp.sqlite_master WHERE tbl_name = {literal(name)}"
            " AND sql IS NOT NULL ORDER BY rowid",
        )
        savepoint.rollback()

    pairs = zip(statements, renamed, strict=True)
    return [_compare(before, after, columns) for before, (after,) in pairs]


def _compare(before: str, after: str, columns: list[str]) -> dict[int, str]:
    old, new = tokens(before), tokens(after)

    if len(old) != len(new):
        raise NotUnderstoodError(before)

    return {
        token.start: columns[int(renamed.name.removeprefix(_MARK))]
        for token, renamed in zip(old, new, strict=True)
        if renamed.name and renamed.name.startswith(_MARK)
    }


def rename_columns(
    sql: str, places: c.Mapping[int, str], renamed: c.Mapping[str, str]
) -> str:
    """Rename columns in a statement.

    :param places: As :func:`find_columns` finds them.
    :param renamed: The new names by the old, folded ones.
    """
    edits = []

    for token in tokens(sql):
        if (name := renamed.get(places.get(token.start, ""))) is not None:
            # Two quotes in a row would be one in a name.
            space = " " if sql[token.end : token.end + 1] == '"' else ""
            edits.append((token.start, token.end, quote(name) + space))

    return edit(sql, edits)


def in_schema(sql: str, schema: str, name: str | None = None) -> str:
    """Name the schema in a statement, which SQLite keeps without it.

    :param name: A new name for what it creates.
    """
    found = tokens(sql)
    token = found[3 if found[1].keyword == "UNIQUE" else 2]
    text = f"{quote(schema)}.{quote(name) if name else token.text}"
    return edit(sql, [(token.start, token.end, text)])


def unqualified(sql: str, table: str) -> str:
    """Leave out the name of the table before those of its columns."""
    found = tokens(sql)
    edits = []

    for n, token in enumerate(found[:-1]):
        is_table = fold(token.name or "") == fold(table)

        if is_table and found[n + 1].text == ".":
            # The name of the schema can stand before it.
            first = found[n - 2 if found[n - 1].text == "." else n]
            edits.append((first.start, found[n + 1].end, ""))

    return edit(sql, edits)
