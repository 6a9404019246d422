"""Views and triggers that SQLite cannot run."""

from __future__ import annotations

import collections.abc as c

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from .driver import execute
from .tokens import fold
from .tokens import quote
from .tokens import tokens


def find_broken(connection: sa.Connection, schema: str) -> dict[tuple[str, str], str]:
    """Find what SQLite cannot run, and why.

    :param connection: A connection; it stays as it is.
    :param schema: The database that is looked at, beside the temporary one.
    :return: The reasons, by what is broken and the statement that shows it.
    """
    broken: dict[tuple[str, str], str] = {}

    with connection.begin_nested() as savepoint:
        for database in dict.fromkeys([schema, "temp"]):
            found = execute(
                connection,
                "SELECT DISTINCT type, CASE type WHEN 'view' THEN name ELSE tbl_name"
                f" END FROM {quote(database)}.sqlite_master"
                " WHERE type IN ('view', 'trigger') ORDER BY 1 DESC, 2",
            )

            for kind, name in found:
                what = f"view '{name}'" if kind == "view" else f"triggers of '{name}'"

                for statement in _uses(connection, kind, database, name):
                    try:
                        execute(connection, statement)
                    except DBAPIError as e:
                        broken[what, statement] = str(e.orig)

        # Even an INSERT without rows can begin to count ids.
        savepoint.rollback()

    return broken


def updated_columns(trigger: str) -> set[str]:
    """Return the folded names in ``UPDATE OF`` of a trigger."""
    found = tokens(trigger)
    words = [token.keyword for token in found]
    # The names before it can only be one of these words in quotes.
    event = next(n for n, x in enumerate(words) if x in {"INSERT", "UPDATE", "DELETE"})

    if words[event : event + 2] != ["UPDATE", "OF"]:
        return set()

    names = found[event + 2 : words.index("ON", event)]
    return {fold(token.name) for token in names if token.name is not None}


def _uses(
    connection: sa.Connection, kind: str, database: str, name: str
) -> c.Iterator[str]:
    """Yield statements that change nothing, but make SQLite compile a view, or all
    triggers of a table.
    """
    # A temporary trigger can be on a table of any database.
    prefix = "" if kind == "trigger" and database == "temp" else f"{quote(database)}."
    info = f"PRAGMA {prefix}table_xinfo({quote(name)})"

    if kind == "view":
        yield info
        return

    try:
        columns = [quote(row[1]) for row in execute(connection, info) if not row[6]]
    except DBAPIError:
        # A broken view, which is found as such.
        return

    listed = ", ".join(columns)
    same = ", ".join(f"{column} = {column}" for column in columns)
    table = f"{prefix}{quote(name)}"
    yield f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {table} WHERE 0"
    yield f"UPDATE {table} SET {same} WHERE 0"
    yield f"DELETE FROM {table} WHERE 0"
