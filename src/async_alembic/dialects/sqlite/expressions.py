"""Reads the expressions of computed columns.

SQLAlchemy takes all that follows in the same line for a part of the expression.
"""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa

from ..column_reflection import reflecting_columns
from ..computed_columns import ComputedColumns
from .create_table import CreateTable
from .tokens import fold
from .tokens import NotUnderstoodError
from .tokens import tokens

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    from ..column_reflection import Reflect


class SQLiteComputedColumns(ComputedColumns):
    """SQLite keeps what was written, and a batch copies the values."""

    def can_keep_values(self, dialect: sa.Dialect, persisted: bool) -> bool:
        return True

    def is_same(
        self, connection: sa.Connection, column: sa.Column[t.Any], new: str, found: str
    ) -> bool | None:
        with contextlib.suppress(NotUnderstoodError):
            return _words(new) == _words(found)

        return False


def _words(sql: str) -> list[str]:
    return [token.keyword or token.text for token in tokens(sql)]


def reading_expressions(
    impl: DefaultImpl,
) -> contextlib.AbstractContextManager[None]:
    """Let comparisons see the expressions as they are.

    :param impl: Alembic's implementation for SQLite.
    """
    return reflecting_columns(impl, _reflect)


def _reflect(
    reflect: Reflect,
    inspector: sa.Inspector,
    table: sa.Table,
    column: dict[str, t.Any],
) -> None:
    reflect(inspector, table, column)

    if "computed" in column and (text := _expression(inspector, table, column)):
        column["computed"] = {**column["computed"], "sqltext": text}


def _expression(
    inspector: sa.Inspector, table: sa.Table, column: dict[str, t.Any]
) -> str | None:
    master = sa.table(
        "sqlite_master", sa.column("name"), sa.column("sql"), schema=table.schema
    )
    connection = t.cast("sa.Connection", inspector.bind)
    sql = connection.scalar(sa.select(master.c.sql).where(master.c.name == table.name))

    with contextlib.suppress(NotUnderstoodError, KeyError):
        statement = CreateTable.parse(sql or "")

        for clause in statement.columns[fold(column["name"])].of_kind("GENERATED"):
            return statement.text(clause.inner)

    return None
