"""Types that have a name of their own in the database: enums and domains."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ..column_types import type_on

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl
    from sqlalchemy.types import TypeEngine

    NamedType: t.TypeAlias = postgresql.ENUM | postgresql.DOMAIN


def named_type(type_: TypeEngine[t.Any], dialect: sa.Dialect) -> NamedType | None:
    """Return the named type that a column needs. It is the item of an array."""
    found = type_on(dialect, type_)

    if isinstance(found, sa.ARRAY):
        return named_type(found.item_type, dialect)

    found = found.dialect_impl(dialect)
    is_named = isinstance(found, (postgresql.ENUM, postgresql.DOMAIN)) and found.name
    return t.cast("NamedType", found) if is_named else None


def create_missing(impl: DefaultImpl, types: c.Iterable[TypeEngine[t.Any]]) -> None:
    """Create the types that columns need and the database does not have.

    Alembic does so for a new table only, and remembers what it has created for as long
    as the command runs, whatever the database has.

    :param impl: Alembic's implementation.
    :param types: The types of the columns.
    """
    connection = impl.connection

    # Without a connection, only what Alembic remembers is known.
    if impl.as_sql or connection is None:
        return

    for type_ in types:
        found = named_type(type_, impl.dialect)

        if found is not None and found.create_type:
            found.create(connection, checkfirst=True)
            created(impl, found).add((found.schema, found.name))


def created(
    impl: DefaultImpl, type_: TypeEngine[t.Any]
) -> set[tuple[str | None, str | None]]:
    """Return the schemas and names of the types of a kind that a new table does not
    create.
    """
    # The types of SQLAlchemy look there. It has no public way.
    names: set[tuple[str | None, str | None]]
    names = impl.memo.setdefault(f"pg_{type_.__visit_name__}", set())
    return names
