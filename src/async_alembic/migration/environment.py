"""Replaces ``env.py``: the files and the open databases of one command."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..apps.names import default_name
from ..dialects import dialect_of
from ..errors import plugin_errors
from ..errors import RevisionIdError
from ..errors import UnknownRevisionInDatabaseError

if t.TYPE_CHECKING:
    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

    from ..apps.project import Project
    from ..dialects import Dialect
    from ..dialects import Place
    from ..history.created_tables import CreatedTables
    from ..history.scripts import Scripts
    from .contexts import Contexts
    from .open_databases import OpenDatabases

    #: Takes the current heads and the migration context, and returns the steps to run.
    Steps: t.TypeAlias = c.Callable[
        [t.Any, MigrationContext], c.Iterable[RevisionStep] | None
    ]

#: The length of the column that Alembic creates.
MAX_ID_LENGTH = 32

Metadata: t.TypeAlias = "sa.MetaData | c.Sequence[sa.MetaData]"


class Environment:
    """The files and the open databases of one app, during one command. Alembic is
    imported when a command first needs it, which none does at head.

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
        :param metadatas: The metadata of each of the app's databases, by name.
        """
        self.project = project
        self.databases = databases
        self.metadatas = metadatas
        #: Called by ``MigrationContext.run_migrations()``.
        self.steps: Steps = lambda heads, context: ()
        self._places: dict[str, Place] = {}
        #: A length of ids that version tables hold, as far as is known.
        self._known_length = MAX_ID_LENGTH

    def with_metadatas(self, metadatas: c.Mapping[str, Metadata]) -> Environment:
        """Return the same with other metadata, which the databases are compared to."""
        return Environment(self.project, self.databases, metadatas)

    @functools.cached_property
    def _contexts(self) -> Contexts:
        def load() -> type[Contexts]:
            from ..apps.env_py import check_env_py

            with plugin_errors():
                from .contexts import Contexts

            check_env_py(self.project.settings)
            # They need it, and it imports the rest of Alembic.
            _ = self.project.scripts
            self.project.database_names.load()

            for name in self.names:
                self.dialect(name).load()

            return Contexts

        contexts_class: type[Contexts] = self.databases.offload(load)

        for name in self.names:
            # Alembic leaves it to others to end a transaction that has begun before.
            self.end_transaction(name)

        return contexts_class(
            self.project,
            self.databases.connections,
            self.metadatas,
            lambda heads, context: self.steps(heads, context),
            self._is_version_schema,
        )

    def load(self) -> None:
        """Import Alembic and what a migration needs, and set up Alembic's contexts."""
        _ = self._contexts

    @property
    def environment_contexts(self) -> dict[str, EnvironmentContext]:
        """Alembic's environment context of each database, by name."""
        return self._contexts.environment_contexts

    @property
    def contexts(self) -> dict[str, MigrationContext]:
        """Alembic's migration context of each database, by name."""
        return self._contexts.contexts

    @property
    def ops(self) -> dict[str, Operations]:
        """Alembic's operations on each database, by name."""
        return self._contexts.ops

    @functools.cached_property
    def scripts(self) -> Scripts:
        """The script directory, with its revision map loaded. Loading is offloaded, so
        that it does not block.
        """

        def load() -> Scripts:
            _ = self.project.scripts.revision_map
            return self.project.scripts

        return t.cast("Scripts", self.databases.offload(load))

    @functools.cached_property
    def created_tables(self) -> CreatedTables:
        """The tables that the revisions create. Reading is offloaded, so that it does
        not block.
        """

        def read() -> CreatedTables:
            from ..history.created_tables import CreatedTables

            names = self.project.database_names
            several = [*map(names.of, self.metadatas)] if self.are_several else []
            return CreatedTables(self.project.files.parsed, several)

        return t.cast("CreatedTables", self.databases.offload(read))

    @property
    def names(self) -> list[str]:
        """The names of the databases that are open."""
        return [name for name in self.metadatas if name in self.databases.connections]

    @property
    def are_several(self) -> bool:
        """Whether the app has several databases, all of which revisions are for."""
        return len(self.metadatas) > 1

    @property
    def default(self) -> str:
        """The name of the default database."""
        return default_name(self.names)

    @property
    def context(self) -> MigrationContext:
        """The migration context of the default database."""
        return self.contexts[self.default]

    @property
    def op(self) -> Operations:
        """The operations on the default database."""
        return self.ops[self.default]

    @contextlib.contextmanager
    def session_settings(self) -> c.Iterator[None]:
        """Apply ``ALEMBIC_SESSION`` to the connections.

        :raises ConfigurationError: If a database rejects a setting.
        """
        with contextlib.ExitStack() as stack:
            for name in self.names:
                if settings := self.project.settings.session(name):
                    session = self.dialect(name).session(
                        self.idle_connection(name),
                        settings,
                        restore=name in self.databases.private,
                    )
                    stack.enter_context(session)

            yield

    def connection(self, name: str) -> sa.Connection:
        """The connection to a database."""
        return self.databases.connections[name]

    def idle_connection(self, name: str) -> sa.Connection:
        """The connection to a database, outside of a transaction."""
        self.end_transaction(name)
        return self.connection(name)

    @contextlib.contextmanager
    def autocommitting(self, name: str) -> c.Iterator[sa.Connection]:
        """Open another connection to a database, in autocommit mode."""
        with self.databases.connect(name) as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def end_transaction(self, name: str) -> None:
        """Roll back the transaction that reading from a database has begun."""
        self.connection(name).rollback()

    def dialect(self, name: str) -> Dialect:
        """The :class:`.Dialect` of a database."""
        return dialect_of(self.connection(name))

    def server(self, name: str) -> str | None:
        """Return what tells the server of a database from other servers."""
        return self.dialect(name).server(self.connection(name))

    @functools.cached_property
    def version_table(self) -> str:
        """The name of the version table."""
        options = self.project.settings.context_options()
        return t.cast("str", options.get("version_table", "alembic_version"))

    @functools.cached_property
    def _configured_schema(self) -> str | None:
        settings = self.project.settings
        configured = settings.context_options().get("version_table_schema")
        return t.cast("str | None", settings.tenant_schema or configured)

    def version_schema(self, name: str) -> str | None:
        """The schema of a database's version table, if one is configured, or was found
        by :meth:`find_place`.
        """
        if place := self._places.get(name):
            return place.schema

        return self.translated_schema(name, self._configured_schema)

    def translated_schema(self, name: str, schema: str | None) -> str | None:
        """Return what the ``schema_translate_map`` of an engine makes of a schema."""
        options = self.connection(name).get_execution_options()
        schemas = options.get("schema_translate_map") or {}
        return t.cast("str | None", schemas.get(schema, schema))

    def find_place(self, name: str) -> Place:
        """Return where the version table of a database is. That place counts from now
        on, whatever search path a revision sets.
        """
        schema = self.translated_schema(name, self._configured_schema)
        connection = self.connection(name)
        place = self.dialect(name).place(connection, schema, self.version_table)
        self._places[name] = place
        return place

    def place(self, name: str) -> Place:
        """Return the place that :meth:`find_place` has found."""
        return self._places[name]

    def has_moved(self, name: str) -> bool:
        """Return whether another migrator has created the version table in another
        schema than the one that was found.
        """
        before = self._places[name]
        return not before.is_settled and self.find_place(name).schema != before.schema

    def _is_version_schema(self, name: str, schema: str | None) -> bool:
        default = self.connection(name).dialect.default_schema_name
        schema = self.translated_schema(name, schema)
        return (schema or default) == (self.version_schema(name) or default)

    def current(self, name: str) -> tuple[str, ...]:
        """Return the ids of the revisions that a database is at.

        :param name: The name of the database.
        :raises UnknownRevisionInDatabaseError: If the code does not have one of them.
        """
        current = self.current_heads(name)
        self.check_known(name, current)
        return current

    def heads_on(self, name: str, connection: sa.Connection) -> tuple[str, ...]:
        """Return the ids in a database's version table, read on another connection.

        :param name: The name of the database.
        :param connection: A connection to it.
        """
        return self.dialect(name).current_heads(connection, self._versions(name))

    def current_heads(self, name: str, *, is_missing: bool = False) -> tuple[str, ...]:
        """Return the ids in a database's version table, if it has one. Usually takes
        one query.

        :param name: The name of the database, whose connection is not in a transaction
            or has not changed anything in it.
        :param is_missing: Whether the table is probably missing. A query of it would
            be an error, which a server writes into its log.
        """
        if is_missing and not self.has_version_table(name):
            return ()

        connection, versions = self.connection(name), self._versions(name)

        try:
            return self.dialect(name).current_heads(connection, versions)
        # libSQL raises ValueError instead of the errors of PEP 249.
        except (DBAPIError, ValueError) as e:
            if connection.invalidated or self.is_blocked(name, e):
                raise

        # Drivers have too many codes for a missing table.
        connection.rollback()

        if not self.has_version_table(name):
            return ()

        # It failed for another reason, or another migrator has just made the table.
        return self.dialect(name).current_heads(connection, versions)

    def _versions(self, name: str) -> sa.TableClause:
        return sa.table(
            self.version_table,
            sa.column("version_num", sa.String),
            # SQLAlchemy translates the schemas of Table objects only.
            schema=self.version_schema(name),
        )

    def has_version_table(self, name: str) -> bool:
        """Return whether a database has a version table."""
        inspector = sa.inspect(self.connection(name))
        return inspector.has_table(self.version_table, self.version_schema(name))

    def check_known(self, name: str, current: c.Iterable[str]) -> None:
        """Check that the code has every revision that a database is at.

        :param name: The name of the database.
        :param current: The ids of the revisions.
        :raises UnknownRevisionInDatabaseError: If one is missing.
        """
        files = self.project.files
        unknown = [revision for revision in current if revision not in files.ids()]

        if unknown:
            squashed = self.databases.offload(lambda: files.squashed_into(unknown[0]))
            raise UnknownRevisionInDatabaseError(
                name, unknown, files.empty_folder, squashed
            )

    def check_fits(self, name: str, revisions: c.Iterable[str]) -> None:
        """Check that the version table can hold ids. An earlier revision may have
        widened its column, so the database is asked, where Alembic's own is too narrow.

        :param name: The name of the database.
        :param revisions: The ids of the revisions.
        :raises RevisionIdError: If one of them is too long.
        """
        longest = max(revisions, key=len, default="")
        dialect = self.dialect(name)

        if len(longest) <= self._known_length or not dialect.enforces_lengths:
            return

        inspector = sa.inspect(self.connection(name))
        columns = inspector.get_columns(self.version_table, self.version_schema(name))
        type_ = next(col["type"] for col in columns if col["name"] == "version_num")
        length: int | None = getattr(type_, "length", None)

        if length is not None and len(longest) > length:
            path = self.project.scripts.get_revision(longest).path
            raise RevisionIdError(name, longest, path, self.version_table, length)

        self._known_length = length or len(longest)

    def is_blocked(self, name: str, error: BaseException | None) -> bool:
        """Return whether an error means that a lock was not available."""
        original = getattr(error, "orig", None)
        return original is not None and self.dialect(name).is_blocked(original)

    def is_unavailable(self, name: str, error: BaseException) -> bool:
        """Return whether an error means that the server cannot answer for a while."""
        original = getattr(error, "orig", None)
        return original is not None and self.dialect(name).is_unavailable(original)

    @contextlib.contextmanager
    def use(self, name: str) -> c.Iterator[None]:
        """Make ``alembic.op`` and ``alembic.context`` refer to one of the databases.

        :param name: The name of the database.
        """
        with self._contexts.use(name):
            yield
