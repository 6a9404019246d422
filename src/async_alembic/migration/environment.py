"""What takes the place of ``env.py``: Alembic's contexts and operations of each
database.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t

from alembic.runtime.environment import EnvironmentContext

from ..apps.names import default_name
from ..dialects import dialect_of
from ..errors import UnknownRevisionInDatabaseError
from . import default_comparison
from . import op_per_task
from .operations import RevisionOperations

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

    from ..apps.project import Project
    from ..dialects import Dialect
    from ..history.scripts import Scripts
    from .open_databases import OpenDatabases

    #: Called with the current heads and the migration context, returns what to run.
    Steps: t.TypeAlias = c.Callable[
        [t.Any, MigrationContext], c.Iterable[RevisionStep] | None
    ]

Metadata: t.TypeAlias = "sa.MetaData | c.Sequence[sa.MetaData]"


class Environment:
    """The files and the open databases of one app, for the time of one command.

    :meth:`Alembic.run` calls a function with it.

    :ivar contexts: Alembic's migration context of each database, by its name.
    :ivar ops: Alembic's operations on each database, by its name.
    """

    def __init__(
        self,
        project: Project,
        databases: OpenDatabases,
        metadatas: c.Mapping[str, Metadata],
    ) -> None:
        """
        :param project: The files.
        :param databases: The open databases.
        :param metadatas: The metadata of each database, by the same names.
        """
        self.project = project
        self.databases = databases
        self.environment_contexts: dict[str, EnvironmentContext] = {}
        self.contexts: dict[str, MigrationContext] = {}
        self.ops: dict[str, Operations] = {}
        #: What ``MigrationContext.run_migrations()`` runs.
        self.steps: Steps = lambda heads, context: ()

        for name, metadata in metadatas.items():
            self._configure(name, metadata, metadatas)

    def _configure(
        self, name: str, metadata: Metadata, metadatas: c.Collection[str]
    ) -> None:
        connection = self.connection(name)
        options = default_comparison.with_plugin(
            self.project.settings.context_options()
        )

        if len(metadatas) > 1:
            options["upgrade_token"] = f"{name}_upgrades"
            options["downgrade_token"] = f"{name}_downgrades"

        options.setdefault("transactional_ddl", self.dialect(name).transactional_ddl)
        # A revision of several databases is rendered as a whole.
        options.setdefault(
            "render_as_batch", any(self.dialect(n).needs_batch for n in metadatas)
        )
        environment_context = EnvironmentContext(
            self.project.config,
            self.project.scripts,
            # Alembic wants to know before there is a plan.
            fn=lambda heads, context: self.steps(heads, context),
        )
        environment_context.configure(
            connection=connection, target_metadata=metadata, **options
        )
        context = environment_context.get_context()
        default_comparison.install(context)
        self.environment_contexts[name] = environment_context
        self.contexts[name] = context
        self.ops[name] = RevisionOperations(context)

    @functools.cached_property
    def scripts(self) -> Scripts:
        """The script directory, with its revisions in order. They are put in order
        where that blocks nothing.
        """
        self.databases.offload(lambda: self.project.scripts.revision_map)
        return self.project.scripts

    @property
    def default(self) -> str:
        """The name of the database that is meant where none is named."""
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
        """The connection to a database, in no transaction."""
        self.end_transaction(name)
        return self.connection(name)

    def end_transaction(self, name: str) -> None:
        """End the transaction in which something was read from a database."""
        self.connection(name).rollback()

    def dialect(self, name: str) -> Dialect:
        """What a migration must know of a database."""
        return dialect_of(self.connection(name))

    def version_schema(self, name: str) -> str | None:
        """The schema that the version table of a database is in, if one is set."""
        schema = self.contexts[name].version_table_schema
        options = self.connection(name).get_execution_options()
        schemas = options.get("schema_translate_map") or {}
        return t.cast("str | None", schemas.get(schema, schema))

    def current(self, name: str) -> tuple[str, ...]:
        """The ids of the revisions that a database is at.

        :param name: The name of the database.
        :raises UnknownRevisionInDatabaseError: If the code does not have one of them.
        """
        current = self.contexts[name].get_current_heads()
        self.check_known(name, current)
        return current

    def check_known(self, name: str, current: c.Iterable[str]) -> None:
        """Check that the code has every revision that a database is at.

        :param name: The name of the database.
        :param current: The ids of the revisions.
        :raises UnknownRevisionInDatabaseError: If it does not.
        """
        ids = self.project.scripts.ids()
        unknown = [revision for revision in current if revision not in ids]

        if unknown:
            raise UnknownRevisionInDatabaseError(name, unknown)

    @contextlib.contextmanager
    def use(self, name: str) -> c.Iterator[None]:
        """Make ``alembic.op`` and ``alembic.context`` mean one of the databases.

        :param name: The name of the database.
        """
        with op_per_task.use(self.environment_contexts[name], self.ops[name]):
            yield
