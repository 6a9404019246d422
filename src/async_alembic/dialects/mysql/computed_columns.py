from __future__ import annotations

import typing as t

from ..computed_columns import ComputedColumns
from ..computed_columns import TABLE
from ..computed_columns import text_of_server

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class MySQLComputedColumns(ComputedColumns):
    """A temporary table does not end a transaction, and is not rolled back."""

    def text(
        self, connection: sa.Connection, column: sa.Column[t.Any], text: str
    ) -> str | None:
        try:
            return text_of_server(connection, column, text)
        finally:
            connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {TABLE}")
