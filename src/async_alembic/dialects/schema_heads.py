"""Where the schemas of a database are in the history, read with few queries."""

from __future__ import annotations

import collections.abc as c
import itertools
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

if t.TYPE_CHECKING:
    from .base import Dialect

#: How many version tables to read with one query. The server plans each.
CHUNK = 200

_schemas_with_table = sa.text(
    "SELECT table_schema FROM information_schema.tables WHERE table_name = :table"
)

#: The ids in the version table of a schema; ``None`` if there is no such schema.
Heads: t.TypeAlias = tuple[str, ...] | None


def read_schema_heads(
    connection: sa.Connection,
    dialect: Dialect,
    table: str,
    schemas: c.Iterable[str],
    pause: c.Callable[[], None],
) -> dict[str, Heads]:
    """Return what the version tables of schemas have. What cannot be read with others
    is left out, such as a schema that is dropped meanwhile.

    :param connection: A connection to the database that has the schemas.
    :param dialect: Its dialect.
    :param table: The name of each version table.
    :param schemas: The names of the schemas.
    :param pause: Is called now and then, so that other tasks can run.
    """
    existing = {*sa.inspect(connection).get_schema_names()}
    migrated = {*connection.scalars(_schemas_with_table, {"table": table})}
    heads: dict[str, Heads] = {
        schema: () if schema in existing else None for schema in schemas
    }
    with_table = iter([schema for schema in heads if schema in migrated])

    while chunk := [*itertools.islice(with_table, CHUNK)]:
        pause()

        try:
            heads |= _read_chunk(connection, dialect, table, chunk)
        except DBAPIError:
            for schema in chunk:
                del heads[schema]
        finally:
            # A server has memory for the locks on some thousand tables, which all of
            # its sessions share.
            connection.rollback()

    return heads


def _read_chunk(
    connection: sa.Connection, dialect: Dialect, table: str, schemas: list[str]
) -> dict[str, Heads]:
    quote = connection.dialect.identifier_preparer.quote_identifier
    selects = (
        f"SELECT {position}, version_num, {dialect.primary_expression}"
        f" FROM {quote(schema)}.{quote(table)}"
        for position, schema in enumerate(schemas)
    )
    found: dict[str, list[str]] = {schema: [] for schema in schemas}
    # As a text(), it would take a colon in a name for a parameter.
    statement = " UNION ALL ".join(selects)

    for position, revision, _ in connection.exec_driver_sql(statement):
        found[schemas[position]].append(revision)

    return {schema: tuple(revisions) for schema, revisions in found.items()}
