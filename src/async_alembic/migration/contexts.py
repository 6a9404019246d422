"""Sets up Alembic's contexts and operations for each database."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t
from pathlib import Path

from alembic.ddl.impl import DefaultImpl
from alembic.runtime.environment import EnvironmentContext

from ..autogenerate import column_checks
from ..autogenerate import computed_comparison
from ..autogenerate import default_comparison
from ..autogenerate import default_schema
from ..autogenerate import domain_comparison
from ..autogenerate import enum_comparison
from ..autogenerate import enum_rendering
from ..autogenerate import exclusion_comparison
from ..autogenerate import identity_comparison
from ..autogenerate import renamed_names
from ..autogenerate import retyped_keys
from ..autogenerate import sequence_comparison
from ..autogenerate import table_comparison
from ..autogenerate import type_checks
from ..autogenerate import type_comparison
from ..autogenerate.type_rendering import TypeRenderer
from ..dialects import companion_tables
from ..dialects import dialect_of
from ..dialects.translated_schemas import translate_alterations
from ..errors import ConfigurationError
from . import op_per_task
from .operations import RevisionOperations

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    from ..apps.project import Project
    from ..dialects import Dialect

#: What has a plugin for Alembic's autogenerate.
_COMPARISONS = (
    column_checks,
    computed_comparison,
    default_comparison,
    default_schema,
    domain_comparison,
    enum_comparison,
    exclusion_comparison,
    identity_comparison,
    renamed_names,
    retyped_keys,
    sequence_comparison,
    table_comparison,
    type_checks,
    type_comparison,
)


class Contexts:
    """Alembic's contexts and operations of the databases of one command.

    :param project: The project.
    :param connections: The connection to each database, by name.
    :param metadatas: The metadata of each of the app's databases, by name.
    :param steps: Takes the current heads and the migration context, and returns the
        steps to run.
    :param is_version_schema: Takes the name of a database and a schema, and returns
        whether the version table is in it.
    :ivar environment_contexts: The environment context of each database, by name.
    :ivar contexts: The migration context of each database, by name.
    :ivar ops: The operations on each database, by name.
    """

    def __init__(
        self,
        project: Project,
        connections: c.Mapping[str, sa.Connection],
        metadatas: c.Mapping[str, sa.MetaData | c.Sequence[sa.MetaData]],
        steps: c.Callable[[t.Any, MigrationContext], t.Any],
        is_version_schema: c.Callable[[str, str | None], bool],
    ) -> None:
        self.environment_contexts: dict[str, EnvironmentContext] = {}
        self.contexts: dict[str, MigrationContext] = {}
        self.ops: dict[str, Operations] = {}
        dialects = {name: dialect_of(conn) for name, conn in connections.items()}

        for name, connection in connections.items():
            _check_dialect(name, connection.dialect)
            translate_alterations(connection)
            options = configure_options(project, name, dialects, len(metadatas) > 1)
            # Alembic needs a function before there is a plan.
            environment_context = EnvironmentContext(
                project.config, project.scripts, fn=steps
            )
            environment_context.configure(
                connection=connection, target_metadata=metadatas[name], **options
            )
            context = environment_context.get_context()
            context.opts["include_name"] = companion_tables.left_out(
                context.version_table,
                functools.partial(is_version_schema, name),
                context.opts.get("include_name"),
            )
            install_rendering(project, context)
            self.environment_contexts[name] = environment_context
            self.contexts[name] = context
            self.ops[name] = RevisionOperations(context)

    def use(self, name: str) -> contextlib.AbstractContextManager[None]:
        """See :meth:`.Environment.use`."""
        return op_per_task.use(self.environment_contexts[name], self.ops[name])


def configure_options(
    project: Project, name: str, dialects: c.Mapping[str, Dialect], are_several: bool
) -> dict[str, t.Any]:
    """Return the arguments for ``EnvironmentContext.configure()`` for a database.

    :param project: The project.
    :param name: The name of the database.
    :param dialects: The dialect of each database, by name.
    :param are_several: Whether the app has several databases.
    """
    options = project.settings.context_options()
    database_names = project.database_names

    if are_several or database_names.are_in_template():
        named = database_names.of(name)
        options["upgrade_token"] = f"{named}_upgrades"
        options["downgrade_token"] = f"{named}_downgrades"

    options.setdefault("transactional_ddl", dialects[name].transactional_ddl)
    # One file is rendered for all databases.
    needs_batch = any(dialect.needs_batch for dialect in dialects.values())
    options.setdefault("render_as_batch", needs_batch)

    for module in _COMPARISONS:
        options = module.comparison.with_plugin(options)

    return options


def install_rendering(project: Project, context: MigrationContext) -> None:
    """Let a migration context compare and render as we do."""
    template = Path(project.scripts.dir, "script.py.mako")
    context.opts["render_item"] = computed_comparison.rendering(
        TypeRenderer(context.opts.get("render_item"), template)
    )
    default_comparison.install(context)
    enum_rendering.install(context)


def _check_dialect(database: str, dialect: sa.Dialect) -> None:
    try:
        DefaultImpl.get_by_dialect(dialect)
    except KeyError:
        raise ConfigurationError(
            f"Alembic does not know the dialect '{dialect.name}' of database"
            f" '{database}'. The app must define or import a subclass of"
            f" alembic.ddl.impl.DefaultImpl with __dialect__ = '{dialect.name}'."
        ) from None
