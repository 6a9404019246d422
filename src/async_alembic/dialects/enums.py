"""Enums that are types of their own, beside the tables that have them."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    import collections.abc as c

    import sqlalchemy as sa
    from alembic.ddl.impl import DefaultImpl
    from sqlalchemy.sql.elements import TextClause
    from sqlalchemy.types import TypeEngine

#: The schema, ``None`` for the default one, and the name.
EnumKey: t.TypeAlias = "tuple[str | None, str]"


@dataclasses.dataclass(frozen=True)
class FoundEnum:
    """A type of the database.

    :param values: Its values, in order.
    :param users: The schema, table and name of each column that has it.
    :param is_used_otherwise: Whether something else has it, as a function or a domain.
    """

    values: tuple[str, ...]
    users: frozenset[tuple[str | None, str, str]]
    is_used_otherwise: bool


class Enums(t.Protocol):
    """The types of a database."""

    def find(self, connection: sa.Connection) -> dict[EnumKey, FoundEnum]:
        """Return all types of the database."""
        ...

    def enum_of(
        self, type_: TypeEngine[t.Any] | None, dialect: sa.Dialect
    ) -> sa.Enum | None:
        """Return the type that a column needs. It is the item of an array."""
        ...

    def made(self, values: c.Sequence[str], name: str, schema: str | None) -> sa.Enum:
        """Return a type that tables don't create."""
        ...

    def source(self, enum: sa.Enum) -> tuple[str, str]:
        """Return the source of a type that tables don't create, and its import."""
        ...

    def create(self, impl: DefaultImpl, enum: sa.Enum) -> None: ...

    def create_missing(
        self, impl: DefaultImpl, types: c.Iterable[TypeEngine[t.Any]]
    ) -> None:
        """Create the enums and domains that columns need and the database does not
        have.

        :param impl: Alembic's implementation for the database.
        :param types: The types of the columns.
        """
        ...

    def drop(self, impl: DefaultImpl, enum: sa.Enum) -> None: ...

    def add_value(
        self, enum: sa.Enum, dialect: sa.Dialect, value: str, place: str, other: str
    ) -> TextClause:
        """Return a statement that adds a value.

        :param place: ``"BEFORE"`` or ``"AFTER"`` the other one.
        """
        ...

    def rename_value(
        self, enum: sa.Enum, dialect: sa.Dialect, value: str, new: str
    ) -> TextClause: ...

    def replace(self, enum: sa.Enum, dialect: sa.Dialect) -> TextClause:
        """Return a statement that puts a new type in the place of the one that has its
        name, and keeps rows, defaults, indexes and constraints.
        """
        ...
