from __future__ import annotations

import typing as t

from ..computed_columns import ComputedColumns
from ..computed_columns import text_of_server

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class PostgreSQLComputedColumns(ComputedColumns):
    """Version 18 has added virtual columns, and made them the default."""

    depends_on_version = True
    drop_expression: str | None = (
        "ALTER TABLE {table} ALTER COLUMN {column} DROP EXPRESSION"
    )

    def are_stored(self, dialect: sa.Dialect) -> bool:
        # SQLAlchemy 2.0 stores all of them.
        return not getattr(dialect, "supports_virtual_generated_columns", False)

    def can_keep_values(self, dialect: sa.Dialect, persisted: bool) -> bool:
        # Version 13 has added it, for columns that are stored.
        return persisted and (dialect.server_version_info or ()) >= (13,)

    def is_same(
        self, connection: sa.Connection, column: sa.Column[t.Any], new: str, found: str
    ) -> bool | None:
        made = text_of_server(connection, column, new)
        return None if made is None else made == found
