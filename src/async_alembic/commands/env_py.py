"""What an ``env.py`` does when Alembic's own program executes it."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

from alembic import context

from ..apps.alembic_config import add_urls
from ..apps.names import default_name
from ..autogenerate.comparison import running
from ..autogenerate.renames import Renames
from ..autogenerate.unknown_tables import UnknownTables
from ..dialects import dialect_named
from ..dialects import dialect_of
from ..dialects.companion_tables import left_out
from ..history.created_tables import CreatedTables
from ..migration.contexts import configure_options
from ..migration.contexts import install_rendering

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext

    from ..apps.databases import Databases
    from ..apps.project import Project
    from ..dialects import Dialect


def given_connection() -> t.Any:
    """Return the engine or connection that a tool such as pytest-alembic has put into
    Alembic's config, if any.
    """
    return context.config.attributes.get("connection")


def is_offline() -> bool:
    """Return whether SQL is to be written, instead of executed."""
    return context.is_offline_mode()


class EnvPy:
    """Configures Alembic's context with what the app says, and runs its command.

    :param project: The project.
    :param databases: The app's databases.
    """

    def __init__(self, project: Project, databases: Databases) -> None:
        self._project = project
        self._databases = databases
        add_urls(context.config, databases.urls)

    def run(self, connections: c.Mapping[str, sa.Connection]) -> None:
        """Run the command on databases.

        :param connections: The connection to each database, by name.
        """
        dialects = {name: dialect_of(conn) for name, conn in connections.items()}

        for name, connection in connections.items():
            settings = self._project.settings.session(name)

            with dialects[name].session(connection, settings, restore=True):
                # Alembic leaves it to others to end a transaction that has begun.
                connection.commit()
                self._run(name, dialects, connection=connection)

    def run_on(self, connection: sa.Connection) -> None:
        """Run the command on a given connection to the default database, which may be
        in a transaction.
        """
        name = default_name(self._databases.engines)
        self._run(name, {name: dialect_of(connection)}, connection=connection)

    def write_sql(self) -> None:
        """Write the SQL of the command for all databases."""
        urls = self._databases.urls
        dialects = {
            name: dialect_named(url.get_backend_name()) for name, url in urls.items()
        }

        for name, url in urls.items():
            self._run(
                name,
                dialects,
                url=url,
                literal_binds=True,
                dialect_opts={"paramstyle": "named"},
            )

    def _run(self, name: str, dialects: c.Mapping[str, Dialect], **how: t.Any) -> None:
        names = self._project.database_names
        metadatas = self._databases.metadatas
        options = configure_options(self._project, name, dialects, len(metadatas) > 1)
        schemas = {None, options.get("version_table_schema")}
        options["include_name"] = left_out(
            options.get("version_table", "alembic_version"),
            schemas.__contains__,
            options.get("include_name"),
        )
        context.configure(target_metadata=metadatas[name], **options, **how)
        migration_context = context.get_context()
        install_rendering(self._project, migration_context)
        arguments = {"engine_name": names.of(name)} if names.are_taken() else {}

        with self._comparing(name, migration_context), context.begin_transaction():
            context.run_migrations(**arguments)

    def _comparing(
        self, name: str, migration_context: MigrationContext
    ) -> contextlib.AbstractContextManager[object]:
        """Prepare for a comparison, if the command is one."""
        if migration_context.opts.get("revision_context") is None:
            return contextlib.nullcontext()

        names, metadatas = self._project.database_names, self._databases.metadatas
        several = [*map(names.of, metadatas)] if len(metadatas) > 1 else []
        unknown = UnknownTables(
            name,
            migration_context,
            names.of(name),
            lambda: CreatedTables(self._project.files.parsed, several),
            None if self._project.settings.drops_unknown_tables else (),
        )
        return running(migration_context, unknown, lambda: None, Renames())
