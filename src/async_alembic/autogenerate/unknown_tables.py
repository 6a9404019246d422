"""The tables of a database that are in no model. Alembic would drop them all.

Those that a revision has created once had a model. The others belong to somebody else,
or their models are not imported, so they are kept unless the user names them.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import typing as t

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.operations import ops

from ..dialects import dialect_of
from ..dialects.companion_tables import is_left_behind
from ..dialects.translated_schemas import schemas_of
from ..errors import listed

if t.TYPE_CHECKING:
    import collections.abc as c

    from alembic.autogenerate.api import AutogenContext
    from alembic.runtime.migration import MigrationContext

    from ..history.created_tables import CreatedTables

    #: Schema and name, as Alembic has them: without the schema if it is the default.
    TableKey: t.TypeAlias = tuple[str | None, str]

log: logging.Logger = logging.getLogger("async_alembic")


@dataclasses.dataclass
class UnknownTables:
    """The tables of one database that are in no model.

    :param database: The name of the database.
    :param context: Its migration context.
    :param engine_name: What revisions call it.
    :param created: Returns the tables that revisions create.
    :param dropped: The names of tables to drop, with their schema unless it is the
        default one; ``None`` to drop them all.
    """

    database: str
    context: MigrationContext
    engine_name: str
    created: c.Callable[[], CreatedTables]
    dropped: c.Container[str] | None
    #: Those that are neither in a model nor created by a revision.
    found: list[TableKey] = dataclasses.field(default_factory=list)
    #: What broken off batch changes of Alembic have left behind.
    left_behind: list[str] = dataclasses.field(default_factory=list)

    def is_compared(self, schema: str | None, table: str) -> bool:
        """Return whether a table may take part in a comparison.

        :param schema: The schema of the table, ``None`` for the default one.
        :param table: The name of the table.
        """
        if is_left_behind(table):
            if table not in self.left_behind:
                self.left_behind.append(table)

            return False

        real_schema = schemas_of(self._connection).get(schema, schema)
        real_table = real_schema or self._default_schema, table
        return (schema, table) in self._modelled or real_table not in self._dependent

    def is_dropped(self, schema: str | None, table: str) -> bool:
        """Return whether a revision may drop a table that is in no model.

        :param schema: The schema of the table, ``None`` for the default one.
        :param table: The name of the table.
        """
        created, default = self.created(), self._default_schema

        if created.has(schema, table, default, self.engine_name):
            return True

        self.found.append((schema, table))
        return self.dropped is None or full_name((schema, table)) in self.dropped

    @property
    def kept(self) -> list[TableKey]:
        """Those that are not dropped."""
        if self.dropped is None:
            return []

        return sorted(
            (key for key in self.found if full_name(key) not in self.dropped),
            key=full_name,
        )

    def warn(self) -> None:
        """Log what is kept."""
        if self.kept:
            log.warning(
                "Database '%s' has tables that are in no model, and that no revision"
                " has created: %s. They are kept. Import their models, exclude them"
                " with 'include_name' in app.config['ALEMBIC_CONTEXT'], or drop them"
                " with 'db revision --drop TABLE'.",
                self.database,
                listed([*map(full_name, self.kept)]),
            )

        if self.left_behind:
            log.warning(
                "Database '%s' has what a broken off batch change of Alembic has left"
                " behind: %s. It may hold the only copy of some rows. Compare it with"
                " the table of that name, then drop it.",
                self.database,
                listed(self.left_behind),
            )

    @property
    def _connection(self) -> sa.Connection:
        assert self.context.connection is not None
        return self.context.connection

    @property
    def _default_schema(self) -> str | None:
        return self._connection.dialect.default_schema_name

    @functools.cached_property
    def _modelled(self) -> set[TableKey]:
        found = self.context.opts["target_metadata"]
        metadatas = [found] if isinstance(found, sa.MetaData) else found
        return {
            (None if table.schema == self._default_schema else table.schema, table.name)
            for metadata in metadatas
            for table in metadata.tables.values()
        }

    @functools.cached_property
    def _dependent(self) -> set[TableKey]:
        return dialect_of(self._connection).dependent_tables(self._connection)


class KeepTablesOp(ops.MigrateOperation):
    """A comment in a revision about the tables that it keeps.

    :param tables: The tables.
    """

    def __init__(self, tables: list[TableKey]) -> None:
        self.tables = tables


@renderers.dispatch_for(KeepTablesOp)
def _render(autogen_context: AutogenContext, op: KeepTablesOp) -> list[str]:
    prefix = autogen_context.opts["alembic_module_prefix"]
    drops = [
        f"# {prefix}drop_table({name!r}{f', schema={schema!r}' if schema else ''})"
        for schema, name in op.tables
    ]
    return [
        "# These tables are in no model, and no revision has created them. They are",
        "# kept, unless you remove the '#'. To exclude them, set 'include_name' in",
        "# ALEMBIC_CONTEXT.",
        *drops,
    ]


def full_name(table: TableKey) -> str:
    """Return the name of a table, with its schema unless it is the default one."""
    return ".".join(filter(None, table))
