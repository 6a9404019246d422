"""Columns, constraints and options as SQLAlchemy has them, in a statement of SQLite."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from ..constraint_names import foreign_key_name
from ..constraint_names import unique_name
from .create_table import CreateTable
from .items import Clause
from .tokens import fold
from .tokens import quote


def render_column(column: sa.Column[t.Any], dialect: sa.Dialect) -> str:
    return str(CreateColumn(column).compile(dialect=dialect)).strip()


def render_constraints(
    table: sa.Table, dialect: sa.Dialect
) -> c.Iterator[tuple[str, Clause]]:
    compiler: t.Any = dialect.ddl_compiler(dialect, t.cast("t.Any", None))

    for key in table.foreign_keys:
        # SQLAlchemy leaves out one to another schema. Without one, it is the same.
        key.column.table.schema = key.column.table.schema or table.schema

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
        table = table.without(table.columns[name].of_kind("NULL"))
        before = table.columns[name].of_kind("NOT")

        if nullable:
            table = table.without(before)
        elif not before:
            table = table.inserted(table.columns[name].type_end, "NOT NULL")

    if stops_computing(server_default):
        table = table.without(table.columns[name].of_kind("GENERATED"))

    if server_default is not False:
        table = table.without(table.columns[name].of_kind("DEFAULT"))

        if server_default is not None:
            default = sa.DefaultClause(server_default)
            column = sa.Column("x", sa.Integer, server_default=default)
            text = render_column(column, dialect).removeprefix("x INTEGER ")
            table = table.inserted(table.columns[name].type_end, text)

    return without_counter(table, name) if autoincrement is False else table


def stops_computing(server_default: object = False, **options: object) -> bool:
    """Return whether arguments of ``alter_column`` make a computed column plain. What
    computes a column is its default.
    """
    return server_default is not False and not isinstance(server_default, sa.Computed)


def without_counter(table: CreateTable, column: str | None = None) -> CreateTable:
    """Leave out ``AUTOINCREMENT`` if the column has it."""
    for key in table.of_kind("PRIMARY"):
        if key.counter and column in {None, fold(key.columns[0])}:
            return table.edited(table.cutting(key.counter.start, key.counter.end))

    return table


def _set_type(table: CreateTable, name: str, rendered: str) -> CreateTable:
    made = CreateTable.parse(f"CREATE TABLE x ({rendered})")
    text = made.text(made.items[0].type)

    if fold(text) != "integer":
        table = without_counter(table, name)

    before = table.columns[name].of_kind("COLLATE")

    for collation in (made.of_kind("COLLATE") or before)[-1:]:
        text += f" COLLATE {quote(collation.tokens[1].name or '')}"

    table = table.without(before)
    item = table.columns[name]

    if not item.type:
        return table.inserted(item.type_end, text)

    return table.edited(table.replacing(item.type[0].start, item.type_end, text))


def set_options(table: CreateTable, given: dict[str, t.Any]) -> CreateTable:
    """Set the options of a table, with the keyword arguments of ``sa.Table``."""
    options = [*table.options]

    for key, option, value in (
        ("sqlite_with_rowid", "WITHOUT ROWID", False),
        ("sqlite_strict", "STRICT", True),
    ):
        if key in given:
            options = [x for x in options if x != option]
            options += [option] if bool(given[key]) == value else []

    if options != table.options:
        end = table.body[1].end
        table = table.edited((end, len(table.sql), f" {', '.join(options)}"))

    if given.get("sqlite_autoincrement") is False:
        return without_counter(table)

    if given.get("sqlite_autoincrement") and not table.counter:
        for primary in table.of_kind("PRIMARY"):
            end = primary.inner[-1].end if primary.inner else primary.end
            return table.inserted(end, "AUTOINCREMENT")

    return table


def name_of(clause: Clause, table: str, convention: t.Any) -> str | None:
    """Return the name by which a constraint without a name is dropped.

    :param convention: The naming convention of the batch. Without one, the name is that
        which generated revisions use.
    """
    constraint: sa.Constraint

    if not convention:
        return _generated_name(clause, table)

    match clause.name, clause.kind, clause.columns:
        case None, "UNIQUE", columns:
            constraint = sa.UniqueConstraint(*columns)
        case None, "PRIMARY", columns:
            constraint = sa.PrimaryKeyConstraint(*columns)
        case None, "FOREIGN", columns:
            parent = sa.Table(clause.parent, sa.MetaData())

            for name in clause.referred or columns:
                parent.append_column(sa.Column(name, sa.Integer))

            constraint = sa.ForeignKeyConstraint(columns, [*parent.columns])
        case _:
            return None

    metadata = sa.MetaData(naming_convention=convention)
    stubs = [sa.Column(column, sa.Integer) for column in columns]
    sa.Table(table, metadata, *stubs, constraint)
    return str(constraint.name) if constraint.name else None


def _generated_name(clause: Clause, table: str) -> str | None:
    match clause.name, clause.kind:
        case None, "UNIQUE":
            return unique_name(table, clause.columns)
        case None, "FOREIGN":
            return foreign_key_name(table, clause.columns, clause.parent)

    return None
