"""Shows the columns of type JSON on MariaDB as such.

There, JSON is LONGTEXT with a check, which each change of the column drops that is not
one to JSON (https://mariadb.com/kb/en/json/).
"""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT

from ..column_reflection import reflecting_columns

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    from ..column_reflection import Reflect

_CACHE_KEY = "async_alembic_json_columns"
#: What MariaDB makes of JSON.
_COLLATION = "utf8mb4_bin"
#: Their schema, table and name.
_columns = sa.text(
    "SELECT constraint_schema, table_name, constraint_name"
    " FROM information_schema.check_constraints"
    " WHERE check_clause = CONCAT('json_valid(`', constraint_name, '`)')"
)


def is_text(type_: object) -> bool:
    """Return whether a type can be what MariaDB makes of JSON."""
    return isinstance(type_, LONGTEXT) and type_.collation == _COLLATION


def reading_json(impl: DefaultImpl) -> contextlib.AbstractContextManager[None]:
    """Let comparisons see which columns have the type JSON.

    :param impl: Alembic's implementation for MySQL and MariaDB.
    """
    if not getattr(impl.dialect, "is_mariadb", False):
        return contextlib.nullcontext()

    return reflecting_columns(impl, _reflect)


def _reflect(
    reflect: Reflect,
    inspector: sa.Inspector,
    table: sa.Table,
    column: dict[str, t.Any],
) -> None:
    reflect(inspector, table, column)

    if is_text(column["type"]):
        schema = table.schema or inspector.dialect.default_schema_name

        if (schema, table.name, column["name"]) in _json_columns(inspector):
            column["type"] = sa.JSON()


def _json_columns(inspector: sa.Inspector) -> set[tuple[str, str, str]]:
    found: set[tuple[str, str, str]] | None = inspector.info_cache.get(_CACHE_KEY)

    if found is None:
        connection = t.cast("sa.Connection", inspector.bind)
        found = {(row[0], row[1], row[2]) for row in connection.execute(_columns)}
        inspector.info_cache[_CACHE_KEY] = found

    return found
