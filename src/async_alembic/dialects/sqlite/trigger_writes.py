"""What triggers write, read from their statements
(https://www.sqlite.org/lang_createtrigger.html).
"""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from .driver import execute
from .driver import pragma
from .tokens import edit
from .tokens import fold
from .tokens import groups
from .tokens import nested
from .tokens import quote
from .tokens import split
from .tokens import Token
from .tokens import tokens

_SCRATCH = "async_alembic values"
_STEPS = {"INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT", "WITH"}
_ROWID = {"ROWID", "OID", "_ROWID_"}


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


def count_columns(connection: sa.Connection, schema: str, select: str) -> int:
    """Count the columns of a query; 0 if SQLite cannot tell.

    :param connection: A connection, within a savepoint that is rolled back.
    """
    place, name = quote(schema), quote(_SCRATCH)

    try:
        execute(connection, f"CREATE VIEW {place}.{name} AS {select}")
    except DBAPIError:
        return 0

    try:
        return len(pragma(connection, f"{place}.table_info({name})"))
    except DBAPIError:
        return 0
    finally:
        execute(connection, f"DROP VIEW {place}.{name}")


class TriggerWrites:
    """Compares what a trigger writes with the tables that there are.

    :param connection: A connection, within a savepoint that is rolled back.
    :param schema: The database of the trigger.
    :param sql: The statement of the trigger.
    """

    def __init__(self, connection: sa.Connection, schema: str, sql: str) -> None:
        self._connection = connection
        self._schema = schema
        self._sql = sql

    def find_wrong(self) -> c.Iterator[str]:
        """Yield why steps cannot run, in SQLite's words."""
        for step in _split_steps(self._sql):
            words = [token.keyword for token in step]

            if words[0] == "UPDATE":
                place = words.index("SET")
                yield from self._find_wrong_update(step[place - 1], step[place:])
            elif words[0] in {"INSERT", "REPLACE"}:
                place = words.index("INTO") + 1
                yield from self._find_wrong_insert(step[place], step[place + 1 :])

    def _find_wrong_update(self, table: Token, rest: list[Token]) -> c.Iterator[str]:
        """Find columns that are set and not there.

        :param rest: What is behind the name of the table.
        """
        columns = self._find_columns(table)

        # SQLite itself finds that a table is missing.
        for name in _find_set(rest) if columns else ():
            kind = columns.get(fold(name), 0)

            if fold(name) not in columns and name.upper() not in _ROWID:
                yield f"no such column: {name}"
            elif kind > 1:
                yield f'cannot UPDATE generated column "{name}"'

    def _find_wrong_insert(self, table: Token, rest: list[Token]) -> c.Iterator[str]:
        """Find columns that are not there, a wrong number of values, and conflicts
        with a key that is not there.
        """
        columns = self._find_columns(table)

        if not columns:
            return

        listed = next(groups(rest)) if rest[0].text == "(" else []
        named = _names(listed[1:-1])
        values = rest[len(listed) :]

        for name in named:
            if fold(name) not in columns and name.upper() not in _ROWID:
                yield f"table {table.name} has no column named {name}"
            elif columns.get(fold(name), 0) > 1:
                yield f'cannot INSERT into generated column "{name}"'

        conflicts = _find_conflicts(values)
        end = conflicts[0] if conflicts else len(values)
        count = self._count_values(values[:end])
        expected = len(named) or [*columns.values()].count(0)

        if count and count != expected:
            yield (
                f"{count} values for {expected} columns"
                if named
                else f"table {table.name} has {expected} columns but {count} values"
                " were supplied"
            )

        for place in conflicts:
            key = _find_key(values[place + 2 :])

            if key and not self._has_key(table, key):
                yield "ON CONFLICT clause does not match any key"

        yield from self._find_wrong_update(table, values[end:])

    def _find_columns(self, table: Token) -> dict[str, int]:
        """Return the folded names of a table's columns, and whether they are hidden (1)
        or computed (2 or 3).
        """
        return {fold(row[1]): row[6] for row in self._pragma("table_xinfo", table.name)}

    def _has_key(self, table: Token, columns: set[str]) -> bool:
        """Whether rows of a table differ in these columns."""
        rows = self._pragma("table_xinfo", table.name)
        keys = [{fold(row[1]) for row in rows if row[5]}, *({fold(x)} for x in _ROWID)]

        for _, index, is_unique, _, is_partial in self._pragma(
            "index_list", table.name
        ):
            if is_unique and not is_partial:
                found = self._pragma("index_xinfo", index)
                keys.append({fold(row[2] or "") for row in found if row[5]})

        return columns in keys

    def _count_values(self, values: list[Token]) -> int:
        """Count what is inserted into each row; 0 if SQLite cannot tell."""
        start, end = values[0].start, values[-1].end
        edits = [
            (row.start, column.end, "NULL")
            for row, dot, column in zip(values, values[1:], values[2:], strict=False)
            if row.keyword in {"NEW", "OLD"} and dot.text == "." and column.name
        ]
        select = edit(self._sql, [*edits, (end, len(self._sql), "")])[start:]
        return count_columns(self._connection, self._schema, select)

    def _pragma(self, name: str, argument: str | None) -> list[tuple[t.Any, ...]]:
        # A temporary trigger can write to any database.
        prefix = "" if self._schema == "temp" else f"{quote(self._schema)}."

        try:
            return pragma(self._connection, f"{prefix}{name}({quote(argument or '')})")
        except DBAPIError:
            # SQLite itself finds that a view is broken.
            return []


def _split_steps(trigger: str) -> list[list[Token]]:
    found = tokens(trigger)
    words = [token.keyword for token in found]
    begin = next(
        n
        for n, word in enumerate(words)
        # A column can be called so as well.
        if word == "BEGIN" and words[n - 1] != "." and words[n + 1] in _STEPS
    )
    steps: list[list[Token]] = [[]]

    for token in found[begin + 1 :]:
        if token.text == ";":
            steps.append([])
        else:
            steps[-1].append(token)

    # The last one is END.
    return steps[:-1]


def _find_conflicts(values: list[Token]) -> list[int]:
    """Find the clauses ``ON CONFLICT`` of a step."""
    words = [token.keyword for token in values] + ["", ""]
    return [
        place
        for place, (_, depth) in enumerate(nested(values))
        if not depth
        and words[place : place + 2] == ["ON", "CONFLICT"]
        and words[place + 2] in {"(", "DO"}
    ]


def _find_key(target: list[Token]) -> set[str]:
    """Return the folded names of the columns whose conflict is handled; empty for any,
    and if there is more than names.
    """
    group = next(groups(target), []) if target[0].text == "(" else []
    parts = split(group[1:-1])
    has_more = target[len(group)].keyword == "WHERE" or any(len(x) > 1 for x in parts)
    return set() if has_more else {fold(part[0].name or "") for part in parts}


def _find_set(step: list[Token]) -> c.Iterator[str]:
    """Yield the names of the columns that clauses ``SET`` set."""
    clause: list[Token] | None = None

    for token, depth in nested(step):
        if not depth and token.keyword in {"SET", "FROM", "WHERE", "ON"}:
            yield from _names(clause or [])
            clause = [] if token.keyword == "SET" else None
        elif clause is not None:
            clause.append(token)

    yield from _names(clause or [])


def _names(found: list[Token]) -> list[str]:
    """Return the first name of each item of a list, or all of those in parentheses."""
    names = []

    for item in split(found):
        if item[0].text == "(":
            names += _names(next(groups(item))[1:-1])
        else:
            names.append(item[0].name or "")

    return names
