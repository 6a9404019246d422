"""Models as plain values, and the metadata that is made of them.

A value is compared, printed and shrunk by hypothesis, which ``MetaData`` is not. Types
and defaults are Python source, as they stand in a user's models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql

Database = Literal["postgresql", "mariadb", "sqlite"]

#: Names every kind of constraint.
CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


@dataclass(frozen=True)
class Column:
    """A column.

    :param type: The source of its type, as ``sa.String(20)``.
    :param default: The source of its ``server_default``.
    :param computed: The SQL that it is computed by.
    :param persisted: Whether that is stored.
    :param of: The columns that this SQL names.
    :param identity: The source of its ``Identity``.
    :param autoincrement: Whether the server numbers its values.
    """

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    comment: str | None = None
    computed: str | None = None
    persisted: bool | None = None
    of: tuple[str, ...] = ()
    identity: str | None = None
    autoincrement: Literal["auto", True, False] = "auto"


@dataclass(frozen=True)
class Unique:
    columns: tuple[str, ...]
    name: str | None = None


@dataclass(frozen=True)
class Check:
    sql: str
    name: str | None
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Index:
    """An index.

    :param expressions: Sources, where ``t`` is the table's columns, as ``t.name`` or
        ``sa.func.lower(t.name)``.
    :param options: The source of more arguments.
    """

    columns: tuple[str, ...]
    name: str | None = None
    unique: bool = False
    expressions: tuple[str, ...] = ()
    options: str = ""


@dataclass(frozen=True)
class ForeignKey:
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    name: str | None = None
    options: str = ""


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    schema: str | None = None
    comment: str | None = None
    uniques: tuple[Unique, ...] = ()
    checks: tuple[Check, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()

    @property
    def key(self) -> str:
        """Its name, with the schema's."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True)
class Model:
    tables: tuple[Table, ...] = ()
    convention: bool = False

    def table(self, key: str) -> Table | None:
        return next((t for t in self.tables if t.key == key), None)

    def metadata(self) -> sa.MetaData:
        metadata = sa.MetaData(
            naming_convention=CONVENTION if self.convention else None
        )

        for table in self.tables:
            sa.Table(
                table.name,
                metadata,
                *_items_of(table),
                schema=table.schema,
                comment=table.comment,
            )

        return metadata


def evaluate(source: str, **names: Any) -> Any:
    """The value of a source."""
    return eval(source, {"sa": sa, "pg": postgresql, "my": mysql, **names})


def _items_of(table: Table) -> Iterator[Any]:
    columns = {column.name: _column(column) for column in table.columns}
    yield from columns.values()

    if table.primary_key:
        yield sa.PrimaryKeyConstraint(*table.primary_key)

    for unique in table.uniques:
        yield sa.UniqueConstraint(*unique.columns, name=unique.name)

    for check in table.checks:
        yield sa.CheckConstraint(check.sql, name=check.name)

    for key in table.foreign_keys:
        yield sa.ForeignKeyConstraint(
            key.columns,
            [f"{key.target}.{column}" for column in key.target_columns],
            name=key.name,
            **evaluate(f"dict({key.options})"),
        )

    for index in table.indexes:
        expressions: list[Any] = [columns[name] for name in index.columns]

        if index.expressions:
            expressions = [
                evaluate(source, c=lambda name: columns[name])
                for source in index.expressions
            ]

        yield sa.Index(
            index.name,
            *expressions,
            unique=index.unique,
            **evaluate(f"dict({index.options})", c=lambda name: columns[name]),
        )


def _column(column: Column) -> sa.Column[Any]:
    more: list[Any] = []

    if column.computed is not None:
        more.append(sa.Computed(column.computed, persisted=column.persisted))

    if column.identity is not None:
        more.append(evaluate(column.identity))

    return sa.Column(
        column.name,
        evaluate(column.type),
        *more,
        nullable=column.nullable,
        server_default=None if column.default is None else evaluate(column.default),
        comment=column.comment,
        autoincrement=column.autoincrement,
    )
