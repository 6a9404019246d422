"""What a database has that its history does not make, and the other way round."""

from __future__ import annotations

import dataclasses
import typing as t

import sqlalchemy as sa

from ..dialects.schemas.catalog import user_schemas
from ..dialects.schemas.reading import differences
from ..errors.from_alembic import converted_errors
from .migrate import plan_upgrade
from .schemas import read_schema
from .scratch import upgrade

if t.TYPE_CHECKING:
    import collections.abc as c

    from ..dialects.schemas.reading import Schema
    from ..migration.environment import Environment


@dataclasses.dataclass(frozen=True)
class Original:
    """A database of the app.

    :param heads: The ids of the revisions that it is at.
    :param schema: Its schema.
    :param left_out: The names of tables that take no part.
    """

    heads: tuple[str, ...]
    schema: Schema
    left_out: frozenset[str]


@converted_errors()
def read(env: Environment) -> dict[str, Original]:
    """Read the app's databases."""
    return {name: _read(env, name) for name in env.names}


@converted_errors()
def compare(
    env: Environment, originals: c.Mapping[str, Original]
) -> dict[str, list[str]]:
    """Run the revisions of the databases in empty ones, and compare both.

    :param env: The empty databases.
    :param originals: What :func:`read` has found.
    """
    upgrade(
        env,
        {
            name: plan_upgrade(env, [*original.heads])
            for name, original in originals.items()
            if original.heads
        },
    )
    return {
        name: differences(_read_schema(env, name, original.left_out), original.schema)
        for name, original in originals.items()
    }


def _read(env: Environment, name: str) -> Original:
    heads = env.current(name)
    left_out = frozenset(_left_out(env, name))
    return Original(heads, _read_schema(env, name, left_out), left_out)


def _read_schema(env: Environment, name: str, left_out: frozenset[str]) -> Schema:
    """Return the schema of a database; of a tenant's schema, if it has one."""
    others = user_schemas(env.connection(name))
    found = read_schema(env, name, left_out)

    if env.project.settings.tenant_schema is None:
        return found

    # The others are those of other tenants. The server quotes some of them.
    named = [schema for schema in others if schema is not None]
    quoted = ['"' + schema.replace('"', '""') + '"' for schema in named]
    foreign = {*named, *quoted}
    return {
        key: text
        for key, text in found.items()
        if not key.startswith("schema ") and foreign.isdisjoint(_before_dots(key))
    }


def _before_dots(text: str) -> c.Iterator[str]:
    """Yield what may be the name of a schema in a text. It may have spaces itself."""
    dots = [place for place, character in enumerate(text) if character == "."]
    starts = [place for place, character in enumerate(text, 1) if character == " "]
    yield from (text[start:dot] for start in starts for dot in dots if start < dot)


def _left_out(env: Environment, name: str) -> c.Iterator[str]:
    """Yield the names of the tables that comparisons with the models leave out, too."""
    connection, context = env.connection(name), env.contexts[name]
    include_name = context.opts["include_name"]
    include_object = context.opts.get("include_object")
    inspector = sa.inspect(connection)
    default = connection.dialect.default_schema_name
    # Partitions, and what extensions keep.
    dependent = env.dialect(name).dependent_tables(connection)

    for schema in user_schemas(connection):
        for table in inspector.get_table_names(schema):
            full_name = table if schema is None else f"{schema}.{table}"
            parents = {"schema_name": schema, "schema_qualified_table_name": full_name}
            stand_in = sa.Table(table, sa.MetaData(), schema=schema)

            if (
                (schema or default, table) in dependent
                or not include_name(table, "table", parents)
                or include_object is not None
                and not include_object(stand_in, table, "table", True, None)
            ):
                yield full_name
