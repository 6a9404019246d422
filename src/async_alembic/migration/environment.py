"""Replaces ``env.py``: sets up Alembic's contexts and operations for each database."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t

import sqlalchemy as sa
from alembic.ddl.impl import DefaultImpl
from alembic.runtime.environment import EnvironmentContext

from ..apps.names import default_name
from ..dialects import dialect_of
from ..errors import ConfigurationError
from ..errors import UnknownRevisionInDatabaseError
from . import companion_tables
from . import default_comparison
from . import op_per_task
from . import table_comparison
from .operations import RevisionOperations

if t.TYPE_CHECKING:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

    from ..apps.project import Project
    from ..dialects import Dialect
    from ..history.scripts import Scripts
    from .open_databases import OpenDatabases

    #: Takes the current heads and the migration context, and returns the steps to run.
    Steps: t.TypeAlias = c.Callable[
        [t.Any, MigrationContext], c.Iterable[RevisionStep] | None
    ]

Metadata: t.TypeAlias = "sa.MetaData | c.Sequence[sa.MetaData]"


class Environment:
    """The files and the open databases of one app, during one command.

    :meth:`Alembic.run` passes it to the function.

    :ivar contexts: Alembic's migration context of each database, by name.
    :ivar ops: Alembic's operations on each database, by name.
    """

    def __init__(
        self,
        project: Project,
        databases: OpenDatabases,
        metadatas: c.Mapping[str, Metadata],
    ) -> None:
        """
        :param project: The project, with its settings and revision files.
        :param databases: The open databases.
        :param metadatas: The metadata of each database, by name.
        """
        self.project = project
        self.databases = databases
        self.environment_contexts: dict[str, EnvironmentContext] = {}
        self.contexts: dict[str, MigrationContext] = {}
        self.ops: dict[str, Operations] = {}
        #: Called by ``MigrationContext.run_migrations()``.
        self.steps: Steps = lambda heads, context: ()

        for name, metadata in metadatas.items():
            self._configure(name, metadata, metadatas)

    def _configure(
        self, name: str, metadata: Metadata, metadatas: c.Collection[str]
    ) -> None:
        connection = self.connection(name)
        _check_dialect(name, connection.dialect)
        options = self.project.settings.context_options()
        options = default_comparison.with_plugin(options)
        options = table_comparison.with_plugin(options)

        if len(metadatas) > 1:
            options["upgrade_token"] = f"{name}_upgrades"
            options["downgrade_token"] = f"{name}_downgrades"

        options.setdefault("transactional_ddl", self.dialect(name).transactional_ddl)
        # One file is rendered for all databases.
        options.setdefault(
            "render_as_batch", any(self.dialect(n).needs_batch for n in metadatas)
        )
        environment_context = EnvironmentContext(
            self.project.config,
            self.project.scripts,
            # Alembic needs a function before there is a plan.
            fn=lambda heads, context: self.steps(heads, context),
        )
        environment_context.configure(
            connection=connection, target_metadata=metadata, **options
        )
        context = environment_context.get_context()
        context.opts["include_name"] = companion_tables.left_out(
            context.version_table,
            functools.partial(self._is_version_schema, name),
            context.opts.get("include_name"),
        )
        default_comparison.install(context)
        self.environment_contexts[name] = environment_context
        self.contexts[name] = context
        self.ops[name] = RevisionOperations(context)

    @functools.cached_property
    def scripts(self) -> Scripts:
        """The script directory, with its revision map loaded. Loading is offloaded, so
        that it does not block.
        """
        self.databases.offload(lambda: self.project.scripts.revision_map)
        return self.project.scripts

    @property
    def default(self) -> str:
        """The name of the default database."""
        return default_name(self.contexts)

    @property
    def context(self) -> MigrationContext:
        """The migration context of the default database."""
        return self.contexts[self.default]

    @property
    def op(self) -> Operations:
        """The operations on the default database."""
        return self.ops[self.default]

    def connection(self, name: str) -> sa.Connection:
        """The connection to a database."""
        return self.databases.connections[name]

    def idle_connection(self, name: str) -> sa.Connection:
        """The connection to a database, outside of a transaction."""
        self.end_transaction(name)
        return self.connection(name)

    def end_transaction(self, name: str) -> None:
        """Roll back the transaction that reading from a database has begun."""
        self.connection(name).rollback()

    def dialect(self, name: str) -> Dialect:
        """The :class:`.Dialect` of a database."""
        return dialect_of(self.connection(name))

    def version_schema(self, name: str) -> str | None:
        """The schema of a database's version table, if one is configured."""
        schema = self.contexts[name].version_table_schema
        options = self.connection(name).get_execution_options()
        schemas = options.get("schema_translate_map") or {}
        return t.cast("str | None", schemas.get(schema, schema))

    def _is_version_schema(self, name: str, schema: str | None) -> bool:
        default = self.connection(name).dialect.default_schema_name
        return (schema or default) == (self.version_schema(name) or default)

    def current(self, name: str) -> tuple[str, ...]:
        """Return the ids of the revisions that a database is at.

        :param name: The name of the database.
        :raises UnknownRevisionInDatabaseError: If the code does not have one of them.
        """
        current = self.current_heads(name)
        self.check_known(name, current)
        return current

    def current_heads(self, name: str) -> tuple[str, ...]:
        """Return the ids in a database's version table, if it has one.

        :param name: The name of the database.
        """
        connection = self.connection(name)
        context = self.contexts[name]
        versions = sa.table(
            context.version_table,
            sa.column("version_num", sa.String),
            schema=context.version_table_schema,
        )

        if not sa.inspect(connection).has_table(
            context.version_table, self.version_schema(name)
        ):
            return ()

        return self.dialect(name).current_heads(connection, versions)

    def check_known(self, name: str, current: c.Iterable[str]) -> None:
        """Check that the code has every revision that a database is at.

        :param name: The name of the database.
        :param current: The ids of the revisions.
        :raises UnknownRevisionInDatabaseError: If one is missing.
        """
        ids = self.project.scripts.ids()
        unknown = [revision for revision in current if revision not in ids]

        if unknown:
            raise UnknownRevisionInDatabaseError(name, unknown)

    @contextlib.contextmanager
    def use(self, name: str) -> c.Iterator[None]:
        """Make ``alembic.op`` and ``alembic.context`` refer to one of the databases.

        :param name: The name of the database.
        """
        with op_per_task.use(self.environment_contexts[name], self.ops[name]):
            yield


def _check_dialect(database: str, dialect: sa.Dialect) -> None:
    try:
        DefaultImpl.get_by_dialect(dialect)
    except KeyError:
        raise ConfigurationError(
            f"Alembic does not know the dialect '{dialect.name}' of database"
            f" '{database}'. The app must define or import a subclass of"
            f" alembic.ddl.impl.DefaultImpl with __dialect__ = '{dialect.name}'."
        ) from None
