from __future__ import annotations

import typing as t

from ..computed_columns import ComputedColumns
from ..computed_columns import TABLE
from ..computed_columns import text_of_server

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class MySQLComputedColumns(ComputedColumns):
    """A temporary table does not end a transaction, and is not rolled back."""

    # Alembic cannot write the whole definition.
    can_be_altered = False

    def can_keep_values(self, dialect: sa.Dialect, persisted: bool) -> bool:
        return persisted

    def is_same(
        self, connection: sa.Connection, column: sa.Column[t.Any], new: str, found: str
    ) -> bool | None:
        try:
            made = text_of_server(connection, column, new)
        finally:
            connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {TABLE}")

        return None if made is None else made == found
