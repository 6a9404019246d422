"""What takes the place of ``env.py``: the contexts, and the transactions around them.

Everything here is synchronous and is handed open connections. It knows no engine, no
event loop and no framework.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t

from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext

from ..apps.names import default_name
from ..dialects import dialect_of
from ..errors import UnknownRevisionInDatabaseError
from . import op_per_task as isolation
from .compiled_cache import CompiledCache
from .half_applied import PartialRecord
from .locking import Locks
from .overrides import overridden
from .version_table import compiled_once

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

    from ..apps.project import Project
    from ..dialects import Dialect
    from ..dialects import MigratedConnection
    from ..history.scripts import Scripts
    from ..results import LockHolder
    from .open_databases import OpenDatabases

    Steps: t.TypeAlias = c.Callable[
        [t.Any, MigrationContext], c.Iterable[RevisionStep] | None
    ]

Metadata: t.TypeAlias = "sa.MetaData | c.Sequence[sa.MetaData]"


class Watch:
    """Is told of each revision that is run."""

    def begins(self, step: RevisionStep) -> None: ...

    def ends(self, step: RevisionStep) -> None: ...


class Environment:
    """The files and the open databases of one app, for the time of one command.

    :param project: The files.
    :param databases: The open databases.
    :param metadatas: The metadata of each database, by the same names.
    """

    def __init__(
        self,
        project: Project,
        databases: OpenDatabases,
        metadatas: c.Mapping[str, Metadata],
    ) -> None:
        self.project = project
        self.databases = databases
        self.environment_contexts: dict[str, EnvironmentContext] = {}
        self.contexts: dict[str, MigrationContext] = {}
        self.ops: dict[str, Operations] = {}
        self._locks = Locks(databases, project.settings.lock_timeout)
        self.migrations: dict[str, MigratedConnection] = {}
        self._run: c.Callable[..., c.Iterator[RevisionStep]] = lambda heads, context: (
            iter(())
        )

        # A revision of several databases is rendered as a whole.
        needs_batch = any(
            dialect_of(databases.connections[name]).needs_batch for name in metadatas
        )

        for name, metadata in metadatas.items():
            options = project.settings.context_options()

            if len(metadatas) > 1:
                options["upgrade_token"] = f"{name}_upgrades"
                options["downgrade_token"] = f"{name}_downgrades"

            connection = databases.connections[name]
            options.setdefault(
                "transactional_ddl", dialect_of(connection).transactional_ddl
            )
            options.setdefault("render_as_batch", needs_batch)
            environment_context = EnvironmentContext(
                project.config,
                project.scripts,
                fn=lambda heads, context: self._run(heads, context),
            )
            environment_context.configure(
                connection=connection, target_metadata=metadata, **options
            )
            self.environment_contexts[name] = environment_context
            self.contexts[name] = environment_context.get_context()
            dialect_of(connection).defaults.compared_by(self.contexts[name].impl)
            self.ops[name] = Operations(self.contexts[name])

    @functools.cached_property
    def scripts(self) -> Scripts:
        """The script directory with its revisions in their order, which is made where
        it blocks nothing.
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
        """The operations of the default database."""
        return self.ops[self.default]

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
    def isolated(self, name: str) -> c.Iterator[None]:
        """Make ``alembic.op`` and ``alembic.context`` mean one of the databases.

        :param name: The name of the database.
        """
        with isolation.isolated(self.environment_contexts[name], self.ops[name]):
            yield

    @contextlib.contextmanager
    def locked(self, names: c.Collection[str]) -> c.Iterator[None]:
        """Keep other migrators out of databases, unless ``ALEMBIC_LOCK`` is off.

        :param names: The names of the databases.
        :raises LockTimeout: If another migrator does not end in time.
        :raises LockUnavailableError: If a database refuses the lock.
        """
        keys = self._lock_keys(names) if self.project.settings.lock else {}

        with self._locks.taken(keys):
            yield

    @contextlib.contextmanager
    def session(self, names: c.Collection[str]) -> c.Iterator[None]:
        """Apply ``ALEMBIC_SESSION`` to the connections of databases.

        :param names: The names of the databases.
        :raises ConfigurationError: If a database refuses one of the settings.
        """
        with contextlib.ExitStack() as stack:
            for name in names:
                connection = self._idle_connection(name)
                settings = self.project.settings.session(name)

                if settings:
                    stack.enter_context(
                        dialect_of(connection).session(connection, settings)
                    )

            yield

    @contextlib.contextmanager
    def migrating(
        self, names: c.Collection[str], *, single: bool = False
    ) -> c.Iterator[None]:
        """Enter the transactions of databases. If anything fails, all are rolled back;
        else they are committed one after another, and once a commit fails, what is left
        is rolled back.

        :param names: The names of the databases.
        :param single: Use one transaction even where each revision has its own.
        """
        wait = self.project.settings.lock

        with contextlib.ExitStack() as stack:
            for name in names:
                connection = self._idle_connection(name)
                connection.execution_options(compiled_cache=CompiledCache())
                self.migrations[name] = stack.enter_context(
                    dialect_of(connection).migrating(
                        connection, self._locks.turn(name).wait if wait else None
                    )
                )

            for name in names:
                context = self.contexts[name]
                stack.enter_context(
                    compiled_once(_connection(context), context.version_table)
                )
                stack.enter_context(
                    overridden(
                        context,
                        self.ops[name],
                        self.migrations[name],
                        functools.partial(self._locks.check, name),
                    )
                )
                stack.enter_context(context.begin_transaction())

                if single:
                    # It is this argument by which a revision gets its own transaction
                    # where the databases' one was not begun.
                    stack.enter_context(context.begin_transaction(_per_migration=True))

            yield

            for name in names:
                if self._is_in_transaction(name):
                    self._locks.check(name)

    def keep_what_was_committed(self) -> None:
        """See to what follows a commit of a user's function, in every database."""
        for context in self.contexts.values():
            self._keep(context)

    def run_steps(
        self, name: str, steps: Steps, watch: Watch, /, **kwargs: t.Any
    ) -> None:
        """Run migrations on one database, inside of :meth:`migrating`.

        :param name: The name of the database.
        :param steps: Called with the current heads and the migration context, returns
            the steps to run. Called again if another migrator came in between.
        :param watch: Told of each step.
        :param kwargs: Passed to ``upgrade`` or ``downgrade`` of each revision.
        """
        if len(self.contexts) > 1:
            kwargs["engine_name"] = name

        is_done = False

        def run(heads: t.Any, context: MigrationContext) -> c.Iterator[RevisionStep]:
            nonlocal is_done

            for step in steps(heads, context) or ():
                isolation.reinstall()
                self.migrations[name].begins()
                watch.begins(step)
                yield step
                self.migrations[name].ends()
                self._keep(context)
                watch.ends(step)
                # It matters when something is committed.
                self._locks.check(name, at_times=self._is_in_transaction(name))

                if not self.migrations[name].goes_on():
                    return

            is_done = True

        with self.isolated(name):
            while not is_done:
                self._run = run
                self.contexts[name].run_migrations(**kwargs)

    def dialect(self, name: str) -> Dialect:
        """What a migration must know of a database."""
        return dialect_of(self.databases.connections[name])

    def partial_record(
        self, name: str, connection: sa.Connection | None = None
    ) -> PartialRecord:
        """Where a database keeps that a revision is half applied.

        :param name: The name of the database.
        :param connection: The connection to use; by default that of the context.
        """
        context = self.contexts[name]
        return PartialRecord(
            connection or _connection(context),
            context.version_table,
            self._version_schema(name),
        )

    def stop_reading(self, name: str) -> None:
        """End the transaction in which it was read where a database is."""
        self._idle_connection(name)

    def is_blocked(self, name: str, error: BaseException | None) -> bool:
        """Whether an error says that a lock of a database could not be had."""
        original = getattr(error, "orig", None)
        dialect = dialect_of(self.databases.connections[name])
        return original is not None and dialect.is_blocked(original)

    def blocker(self, name: str, error: BaseException | None) -> LockHolder | None:
        """Who was in the way of what has failed.

        :param name: The name of the database.
        :param error: What is blocked, see :meth:`is_blocked`.
        """
        connection = self._idle_connection(name)
        statement = getattr(error, "statement", None)

        try:
            return dialect_of(connection).blocker(connection, statement)
        finally:
            connection.rollback()

    def _lock_keys(self, names: c.Collection[str]) -> dict[str, str]:
        keys = {}

        for name in names:
            connection = _connection(self.contexts[name])
            key = dialect_of(connection).lock_key(
                connection,
                self._version_schema(name),
                self.contexts[name].version_table,
            )
            # What waits must not be idle in a transaction.
            connection.rollback()

            if key is not None:
                keys[name] = key

        return keys

    def _version_schema(self, name: str) -> str | None:
        context = self.contexts[name]
        schema = context.version_table_schema
        options = _connection(context).get_execution_options()
        schemas = options.get("schema_translate_map") or {}
        return t.cast("str | None", schemas.get(schema, schema))

    def _is_in_transaction(self, name: str) -> bool:
        # There's no public way to tell whether the databases' transaction is open.
        return self.contexts[name]._transaction is not None

    def _idle_connection(self, name: str) -> sa.Connection:
        connection = _connection(self.contexts[name])
        # Whether a version table is there may have been asked before.
        connection.rollback()
        return connection

    def _keep(self, context: MigrationContext) -> None:
        """Commit what follows a ``op.get_bind().commit()``, which nothing else would,
        and begin the transaction again that it ended.
        """
        connection = _connection(context)
        # There's no public way to tell, nor to give the context another one.
        transaction = context._transaction

        if transaction is not None and transaction.is_active:
            return

        if connection.in_transaction():
            connection.commit()

        if transaction is not None:
            context._transaction = connection.begin()


def _connection(context: MigrationContext) -> sa.Connection:
    connection = context.connection
    assert connection is not None
    return connection
