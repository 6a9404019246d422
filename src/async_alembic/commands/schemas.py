"""Reads what is in a database, apart from the tables of the migrations themselves."""

from __future__ import annotations

import typing as t

from ..dialects.companion_tables import companion_tables
from ..dialects.schemas.reading import SchemaReader

if t.TYPE_CHECKING:
    import collections.abc as c

    from ..dialects.schemas.reading import Schema
    from ..migration.environment import Environment


def read_schema(
    env: Environment, name: str, exclude_tables: c.Iterable[str] = ()
) -> Schema:
    """Return the schema of a database, and end its transaction.

    :param exclude_tables: The names of more tables to leave out.
    """
    reader = SchemaReader({*own_tables(env), *exclude_tables})
    schema = reader.read(env.connection(name))
    env.end_transaction(name)
    return schema


def own_tables(env: Environment) -> set[str]:
    """Return the names of the tables of the migrations themselves."""
    return {env.version_table, *companion_tables(env.version_table)}
