"""Columns and constraints as SQLAlchemy writes them, and columns that are altered."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from .create_table import Clause
from .create_table import CreateTable
from .tokens import fold
from .tokens import quote


def render_column(column: sa.Column[t.Any], dialect: sa.Dialect) -> str:
    return str(CreateColumn(column).compile(dialect=dialect)).strip()


def render_constraints(
    table: sa.Table, dialect: sa.Dialect
) -> c.Iterator[tuple[str, Clause]]:
    """Render the constraints of a table without its columns."""
    compiler = dialect.ddl_compiler(dialect, None)

    if text := compiler.create_table_constraints(table):
        made = CreateTable.parse(f"CREATE TABLE x (x, {text})")

        for item in made.items[1:]:
            yield made.text(item.tokens), item.clauses[0]


def alter_column(
    table: CreateTable,
    name: str,
    dialect: sa.Dialect,
    type_: t.Any = None,
    nullable: bool | None = None,
    server_default: t.Any = False,
    autoincrement: bool | str | None = None,
    **options: object,
) -> CreateTable:
    """Alter a column, with the arguments of Alembic's ``alter_column``.

    :param name: The folded name of the column.
    """
    if type_ is not None:
        column = sa.Column("x", type_)
        table = _set_type(table, name, render_column(column, dialect))

    if nullable is not None:
        is_set = bool(table.columns[name].of_kind("NOT"))
        table = table.without(
            table.columns[name].of_kind("NOT" if nullable else "NULL")
        )

        if not nullable and not is_set:
            table = table.with_clause(table.columns[name].type_end, "NOT NULL")

    if server_default is not False:
        table = table.without(table.columns[name].of_kind("DEFAULT"))

        if server_default is not None:
            default = sa.DefaultClause(server_default)
            column = sa.Column("x", sa.Integer, server_default=default)
            sql = f"CREATE TABLE x ({render_column(column, dialect)})"
            made = CreateTable.parse(sql)
            text = made.text(made.of_kind("DEFAULT")[0].tokens)
            table = table.with_clause(table.columns[name].type_end, text)

    return without_counter(table, name) if autoincrement is False else table


def without_counter(table: CreateTable, column: str | None = None) -> CreateTable:
    """Leave ``AUTOINCREMENT`` out, if the column has it."""
    for key in table.of_kind("PRIMARY"):
        if key.counter and column in {None, fold(key.columns[0])}:
            return table.without_tokens([key.counter])

    return table


def _set_type(table: CreateTable, name: str, rendered: str) -> CreateTable:
    made = CreateTable.parse(f"CREATE TABLE x ({rendered})")
    text = made.text(made.items[0].type)

    if fold(text) != "integer":
        table = without_counter(table, name)

    old = table.columns[name]
    collations = made.of_kind("COLLATE") or old.of_kind("COLLATE")

    for clause in collations[-1:]:
        text += f" COLLATE {quote(clause.tokens[1].name or '')}"

    table = table.without(old.of_kind("COLLATE"))
    old = table.columns[name]
    start = old.type[0].start if old.type else old.type_end
    return table.edited((start, old.type_end, text if old.type else f" {text}"))
