"""What takes the place of ``env.py``: the contexts, and the transactions around them.

Everything here is synchronous and is handed open connections. It knows no engine, no
event loop and no framework.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import functools
import typing as t

from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext

from . import isolation
from .config import default_name
from .dialects import dialect_of
from .errors import UnknownRevisionInDatabaseError

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

    from .config import Settings
    from .scripts import Scripts

    Steps: t.TypeAlias = c.Callable[
        [t.Any, MigrationContext], c.Iterable[RevisionStep] | None
    ]

#: Calls a function that reads or writes files, where that may block.
Offload: t.TypeAlias = c.Callable[[c.Callable[[], t.Any]], t.Any]
Metadata: t.TypeAlias = "sa.MetaData | c.Sequence[sa.MetaData]"


@dataclasses.dataclass(frozen=True)
class Project:
    """The files of one app's migrations.

    :param settings: The app's settings.
    :param config: Alembic's config made of them.
    :param scripts: The script directory.
    :param rev_id: Makes an id for a new revision.
    """

    settings: Settings
    config: Config
    scripts: Scripts
    rev_id: c.Callable[[], str]


class Environment:
    """The files and the open databases of one app, for the time of one command.

    :param project: The files.
    :param connections: An open connection to each database, by its name.
    :param metadatas: The metadata of each database, by the same names.
    :param offload: How to call what reads or writes files.
    """

    def __init__(
        self,
        project: Project,
        connections: c.Mapping[str, sa.Connection],
        metadatas: c.Mapping[str, Metadata],
        offload: Offload,
    ) -> None:
        self.project = project
        self.scripts: Scripts = project.scripts
        self.offload = offload
        self.environment_contexts: dict[str, EnvironmentContext] = {}
        self.contexts: dict[str, MigrationContext] = {}
        self.ops: dict[str, Operations] = {}
        self._steps: Steps = lambda heads, context: ()

        for name, metadata in metadatas.items():
            options = project.settings.context_options()

            if len(metadatas) > 1:
                options["upgrade_token"] = f"{name}_upgrades"
                options["downgrade_token"] = f"{name}_downgrades"

            options.setdefault(
                "transactional_ddl", dialect_of(connections[name]).transactional_ddl
            )
            environment_context = EnvironmentContext(
                project.config, project.scripts, fn=self._next_steps
            )
            environment_context.configure(
                connection=connections[name], target_metadata=metadata, **options
            )
            self.environment_contexts[name] = environment_context
            self.contexts[name] = environment_context.get_context()
            self.ops[name] = Operations(self.contexts[name])

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
        unknown = [revision for revision in current if not self._knows(revision)]

        if unknown:
            raise UnknownRevisionInDatabaseError(name, unknown)

        return current

    @contextlib.contextmanager
    def isolated(self, name: str) -> c.Iterator[None]:
        """Make ``alembic.op`` and ``alembic.context`` mean one of the databases.

        :param name: The name of the database.
        """
        with isolation.isolated(self.environment_contexts[name], self.ops[name]):
            yield

    @contextlib.contextmanager
    def migrating(self, *, single: bool = False) -> c.Iterator[None]:
        """Enter every database's transaction. If anything fails, all are rolled back;
        else they are committed one after another, and once a commit fails, what is left
        is rolled back.

        :param single: Use one transaction even where each revision has its own.
        """
        with contextlib.ExitStack() as stack:
            for context in self.contexts.values():
                connection = _connection(context)
                # Whether a version table is there may have been asked before.
                connection.rollback()
                stack.enter_context(dialect_of(connection).migrating(connection))

            for context in self.contexts.values():
                stack.enter_context(context.begin_transaction())

                if single:
                    # It is this argument by which a revision gets its own transaction
                    # where the databases' one was not begun.
                    stack.enter_context(context.begin_transaction(_per_migration=True))

            yield

    def keep_what_was_committed(self) -> None:
        """See to what follows a commit of a user's function, in every database."""
        for context in self.contexts.values():
            self._keep(context)

    def run_steps(self, name: str, steps: Steps, **kwargs: t.Any) -> None:
        """Run migrations on one database, inside of :meth:`migrating`.

        :param name: The name of the database.
        :param steps: Called with the current heads and the migration context, returns
            the steps to run.
        :param kwargs: Passed to ``upgrade`` or ``downgrade`` of each revision.
        """
        self._steps = steps

        if len(self.contexts) > 1:
            kwargs["engine_name"] = name

        with self.isolated(name):
            self.contexts[name].run_migrations(**kwargs)

    def _next_steps(
        self, heads: t.Any, context: MigrationContext
    ) -> c.Iterator[RevisionStep]:
        for step in self._steps(heads, context) or ():
            isolation.reinstall()
            yield step
            self._keep(context)

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

    def _knows(self, revision: str) -> bool:
        return revision in self._ids

    @functools.cached_property
    def _ids(self) -> set[str]:
        return self.scripts.ids()


def _connection(context: MigrationContext) -> sa.Connection:
    connection = context.connection
    assert connection is not None
    return connection
