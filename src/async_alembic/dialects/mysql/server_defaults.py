"""Compares the server defaults of MySQL and MariaDB."""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..server_defaults import Defaults
from ..verbatim import execute_ddl_verbatim

#: The temporary table that gets the default of a model.
_TABLE = "async_alembic_default"
#: The server's name of a default, by the name in models.
_SYNONYMS = {
    "current_timestamp": "current_timestamp()",
    "now()": "current_timestamp()",
    "false": "0",
    "true": "1",
}


class MySQLDefaults(Defaults):
    """The server writes bits and expressions in its own way, and SQLAlchemy reads no
    default of bits. So it is asked about those that seem to be different.
    """

    def __init__(self) -> None:
        super().__init__(backslashes=True, synonyms=_SYNONYMS)

    def is_shown_the_same(
        self,
        connection: sa.Connection,
        inspected: sa.Column[t.Any],
        default: sa.DefaultClause,
    ) -> bool:
        column = sa.Column(
            inspected.name,
            inspected.type,
            server_default=t.cast("t.Any", default.arg),
            nullable=inspected.nullable,
        )
        table = sa.Table(_TABLE, sa.MetaData(), column, prefixes=["TEMPORARY"])

        try:
            with contextlib.suppress(DBAPIError):
                execute_ddl_verbatim(connection, sa.schema.CreateTable(table))
                made = _shown(connection, table, inspected.name)
                return made == _shown(connection, inspected.table, inspected.name)
        finally:
            connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {_TABLE}")

        return False


def _shown(connection: sa.Connection, table: sa.FromClause, column: str) -> object:
    """Return what the server shows of the default of a column."""
    name = connection.dialect.identifier_preparer.format_table(t.cast("t.Any", table))
    rows = connection.exec_driver_sql(f"SHOW COLUMNS FROM {name}").mappings()
    row = next(row for row in rows if row["Field"] == column)
    return row["Default"], row["Extra"]
