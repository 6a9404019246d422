"""Reads tables at once, in the translated schemas, and leaves unchanged ones out of
Alembic's comparison. Adjusts operations to the database.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, tables are read
one at a time.
"""

from __future__ import annotations

import typing as t

from ..dialects import dialect_of
from ..dialects import translated_schemas
from . import bulk_reading
from . import unchanged_tables
from .comparison import comparison_of
from .plugins import Comparison

if t.TYPE_CHECKING:
    import collections.abc as c

    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import UpgradeOps

    from .unknown_tables import TableKey

comparison: Comparison = Comparison("tables", helps="tables")


def _read(
    autogen_context: AutogenContext,
    upgrade_ops: object,
    schemas: c.Iterable[str | None],
) -> t.Any:
    connection = autogen_context.connection
    assert connection is not None
    translated_schemas.translate_reflection(autogen_context.inspector)
    comparison = comparison_of(autogen_context.migration_context)
    reads_at_once = dialect_of(connection).reads_tables_at_once

    if comparison is not None:
        comparison.renames.read(autogen_context, schemas)

    if comparison is None or not reads_at_once:
        return

    infos = bulk_reading.read(autogen_context, schemas)
    dialect_of(connection).schema_objects.complete(
        connection,
        infos["unique_constraints"],
        infos["check_constraints"],
        infos["indexes"],
        translated_schemas.schemas_of(connection),
    )
    comparison.note_invalid(infos["indexes"])
    comparison.exclusions = _exclusions(autogen_context, infos["columns"])
    infos["exclusions"] = {**comparison.exclusions}

    if comparison.can_leave_out and unchanged_tables.can_find(autogen_context):
        comparison.unchanged |= unchanged_tables.find(
            autogen_context, infos, comparison.questions
        )


def _exclusions(
    autogen_context: AutogenContext, tables: c.Iterable[TableKey]
) -> dict[TableKey, dict[str, str]]:
    connection = autogen_context.connection
    running = comparison_of(autogen_context.migration_context)
    assert connection is not None and running is not None
    found = dialect_of(connection).schema_objects.exclusions(connection)
    schemas = translated_schemas.schemas_of(connection)
    old = {new: old for old, new in running.renames.tables.items()}
    return {
        (schema, table): definitions
        for schema, table in tables
        if (
            definitions := found.get(
                (
                    schemas.get(schema, schema) or running.default_schema,
                    old.get((schema, table), (schema, table))[1],
                )
            )
        )
    }


def _adjust(
    autogen_context: AutogenContext, upgrade_ops: UpgradeOps, *args: object
) -> None:
    connection = autogen_context.connection
    assert connection is not None
    dialect_of(connection).schema_objects.adjust(connection, upgrade_ops)


comparison.add(_read, "schema", priority="FIRST", needs_plugins=True)
comparison.add(_adjust, "schema", priority="LAST")
