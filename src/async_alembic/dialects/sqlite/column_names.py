"""Where SQL names a column: SQLite itself says so.

A word can be the name of a column as well as that of a function, a collation, a type or
a table. SQLite tells them apart when it renames a column, so each column is renamed in
a copy of the table, without rows, which is rolled back.
"""

from __future__ import annotations

import collections.abc as c

import sqlalchemy as sa

from .driver import execute
from .tokens import edit
from .tokens import NotUnderstoodError
from .tokens import quote
from .tokens import Token
from .tokens import tokens

#: What a name begins with that no other column has.
_MARK = "async_alembic renamed "


def find_columns(
    connection: sa.Connection, table: str, indexes: c.Iterable[str], columns: list[str]
) -> list[dict[int, str]]:
    """Find where columns are named.

    :param connection: A connection; it stays as it is.
    :param table: The statement that creates a table.
    :param indexes: The statements that create its indexes.
    :param columns: The folded names of the columns that are looked for.
    :return: For each statement, the folded name of a column by the place of a token.
    :raises NotUnderstoodError: If SQLite writes a statement anew in another way.
    """
    statements = [table, *indexes]
    name = tokens(table)[2].name or ""

    with connection.begin_nested() as savepoint:
        _make_room(connection, name)

        for sql in statements:
            execute(connection, in_schema(sql, "temp"))

        for number, column in enumerate(columns):
            execute(
                connection,
                f"ALTER TABLE temp.{quote(name)} RENAME COLUMN {quote(column)}"
                f" TO {quote(f'{_MARK}{number}')}",
            )

        renamed = execute(
            connection,
            "SELECT sql FROM temp.sqlite_master WHERE tbl_name"
            f" = {_literal(name)} COLLATE NOCASE AND sql IS NOT NULL ORDER BY rowid",
        )
        savepoint.rollback()

    pairs = zip(statements, renamed, strict=True)
    return [_compare(before, after, columns) for before, (after,) in pairs]


def rename_columns(
    sql: str, places: c.Mapping[int, str], renamed: c.Mapping[str, str]
) -> str:
    """Give columns other names wherever a statement names them.

    :param sql: The statement.
    :param places: As :func:`find_columns` finds them.
    :param renamed: The new names by the old, folded ones.
    """
    return edit(
        sql,
        [
            (token.start, token.end, quote(renamed[places[token.start]]))
            for token in tokens(sql)
            if places.get(token.start) in renamed
        ],
    )


def unqualified(sql: str, table: str) -> str:
    """Leave out the name of the table before the names of its columns."""
    found = tokens(sql)
    edits = []

    for place, token in enumerate(found[:-1]):
        if token.is_named(table) and found[place + 1].text == ".":
            # The name of the database can stand before it.
            first = place - 2 if found[place - 1].text == "." else place
            edits.append((found[first].start, found[place + 1].end, ""))

    return edit(sql, edits)


def in_schema(sql: str, schema: str, table: str | None = None) -> str:
    """Name the schema in a statement that creates something.

    :param sql: The statement as SQLite keeps it, which is without a schema.
    :param table: A new name for the table that it creates.
    """
    found = tokens(sql)
    place = 3 if found[1].keyword == "UNIQUE" else 2
    name = quote(table) if table else found[place].text
    start, end = found[place].start, found[place].end
    return edit(sql, [(start, end, f"{quote(schema)}.{name}")])


def _make_room(connection: sa.Connection, name: str) -> None:
    """Drop what could be in the way of a temporary table, or change with it."""
    execute(connection, f"DROP TABLE IF EXISTS temp.{quote(name)}")

    for kind, other in execute(
        connection,
        "SELECT type, name FROM temp.sqlite_master WHERE type IN ('trigger', 'view')",
    ):
        execute(connection, f"DROP {kind} IF EXISTS temp.{quote(other)}")


def _compare(before: str, after: str, columns: list[str]) -> dict[int, str]:
    old, new = tokens(before), tokens(after)

    if len(old) != len(new):
        raise NotUnderstoodError(f"{before!r} is not understood")

    return {
        token.start: columns[int((renamed.name or "").removeprefix(_MARK))]
        for token, renamed in zip(old, new, strict=True)
        if _is_marked(renamed)
    }


def _is_marked(token: Token) -> bool:
    return token.name is not None and token.name.startswith(_MARK)


def _literal(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
