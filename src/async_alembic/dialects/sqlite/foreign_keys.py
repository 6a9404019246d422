"""Finds violations of foreign keys."""

from __future__ import annotations

import contextlib
import re
import typing as t
from collections import Counter

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ...errors import ConfigurationError
from ...errors import ForeignKeyError
from .create_table import CreateTable
from .driver import execute
from .driver import pragma
from .driver import query
from .items import Clause
from .tokens import NotUnderstoodError
from .tokens import quote

_mismatch = re.compile(r'foreign key mismatch - "(.+)" referencing "(.+)"', re.DOTALL)


class Violation(t.NamedTuple):
    """A row whose foreign key refers to a missing row.

    :param schema: The database of the table: ``main``, or an attached one.
    :param table: The table of the row.
    :param row: The rowid, if the table has one.
    :param parent: The table that the foreign key refers to.
    :param key: SQLite's number of the foreign key; ``None`` if it refers to columns
        that are not unique, so that SQLite cannot check its rows.
    """

    schema: str
    table: str
    row: int | None
    parent: str
    key: int | None

    @property
    def tables(self) -> tuple[str, str, str, bool]:
        """The key to count by. Numbers of rows and keys can change when a table is
        recreated.
        """
        return self.schema, self.table, self.parent, self.key is None


def find_violations(connection: sa.Connection) -> list[Violation]:
    """Return the violations in all databases of a connection."""
    schemas = [row[1] for row in pragma(connection, "database_list")]
    return [
        found for schema in schemas for found in _find_in_schema(connection, schema)
    ]


def find_error(
    connection: sa.Connection, before: list[Violation], after: list[Violation]
) -> ForeignKeyError | None:
    """Return an error for a new violation, if there is one.

    :param connection: The connection.
    :param before: The earlier violations.
    :param after: The current violations.
    """
    counts_before = Counter(violation.tables for violation in before)
    counts = Counter(violation.tables for violation in after)
    grown = {tables for tables, n in counts.items() if n > counts_before[tables]}
    found = [violation for violation in after if violation.tables in grown]

    if not found:
        return None

    violation = min(found, key=lambda v: (v in before, str(v)))
    return _describe(connection, violation)


def _find_in_schema(connection: sa.Connection, schema: str) -> list[Violation]:
    try:
        return _check(connection, schema, "foreign_key_check")
    except DBAPIError as e:
        if not _mismatch.search(str(e.orig)):
            raise

    # One mismatch keeps SQLite from checking the other tables.
    tables = execute(
        connection,
        f"SELECT name FROM {quote(schema)}.sqlite_master WHERE type = 'table'",
    )
    return [v for (name,) in tables for v in _find_in_table(connection, schema, name)]


def _find_in_table(
    connection: sa.Connection, schema: str, table: str
) -> list[Violation]:
    try:
        return _check(connection, schema, f"foreign_key_check({quote(table)})")
    except DBAPIError as e:
        if not (match := _mismatch.search(str(e.orig))):
            raise

        return [Violation(schema, match[1], None, match[2], None)]


def _check(connection: sa.Connection, schema: str, check: str) -> list[Violation]:
    columns, rows = query(connection, f"PRAGMA {quote(schema)}.{check}")

    # A PRAGMA that does not exist does nothing.
    if not columns:
        raise ConfigurationError(
            f"The driver '{connection.dialect.driver}' cannot check foreign keys, so a"
            " migration could leave rows that refer to missing rows. Use an engine for"
            " migrations that does not execute 'PRAGMA foreign_keys=ON'."
        )

    return [Violation(schema, *row) for row in rows]


def _describe(connection: sa.Connection, violation: Violation) -> ForeignKeyError:
    schema, table, row, parent, key = violation
    in_schema = "" if schema == "main" else f"{schema}."
    rows = pragma(connection, f"{quote(schema)}.foreign_key_list({quote(table)})")
    # Empty for a mismatch, as SQLite does not say which key it is.
    parts = sorted(part for part in rows if part[0] == key)
    columns = tuple(part[3] for part in parts)
    return ForeignKeyError(
        f"{in_schema}{table}",
        row,
        f"{in_schema}{parent}",
        constraint=_find_name(connection, violation, columns),
        columns=columns,
        referred=tuple(part[4] for part in parts if part[4] is not None),
    )


def _find_name(
    connection: sa.Connection, violation: Violation, columns: tuple[str, ...]
) -> str | None:
    schema, table = quote(violation.schema), violation.table.replace("'", "''")
    found = execute(
        connection,
        f"SELECT sql FROM {schema}.sqlite_master"
        f" WHERE type = 'table' AND name = '{table}' COLLATE NOCASE",
    )
    # Without a name, the columns identify the foreign key.
    with contextlib.suppress(NotUnderstoodError):
        for key in CreateTable.parse(found[0][0]).of_kind("FOREIGN") if found else ():
            if _matches(key, violation, columns):
                return key.name

    return None


def _matches(key: Clause, violation: Violation, columns: tuple[str, ...]) -> bool:
    return key.parent.lower() == violation.parent.lower() and [
        name.lower() for name in key.columns
    ] == [name.lower() for name in columns]
