"""``op`` and ``context`` outside of a command, blocking."""

from __future__ import annotations

import contextlib
import functools
import typing as t

from .. import commands
from ..apps.current import is_quart
from ..apps.names import default_name
from .app_context import AppContextEnvironments
from .blocking_base import BlockingBase
from .proxies import BlockingProxy

if t.TYPE_CHECKING:
    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from flask.sansio.app import App

    from ..migration.environment import Environment

T = t.TypeVar("T")


class OpAndContext(BlockingBase):
    """The properties of Flask-Alembic for which a connection is held open."""

    @functools.cached_property
    def _open_environments(self) -> AppContextEnvironments:
        return AppContextEnvironments()

    @property
    def environment_context(self) -> EnvironmentContext:
        """The current app's ``EnvironmentContext``. No database is needed; it is that
        of :attr:`migration_context` once that was used in this app context.
        """
        from alembic.runtime.environment import EnvironmentContext

        if environment := self._open_environments.current():
            return environment.environment_contexts[environment.default]

        return EnvironmentContext(self.config, self.script_directory)

    @property
    def env(self) -> EnvironmentContext:
        """Short for :attr:`environment_context`."""
        return self.environment_context

    @property
    def migration_contexts(self) -> dict[str, MigrationContext]:
        """Alembic's ``MigrationContext`` of each database, by its name.

        With an ``Engine``, its connection stays open until the end of the app context,
        in autocommit mode. With an ``AsyncEngine``, each use of it runs on a connection
        of its own.
        """
        from alembic.runtime.migration import MigrationContext

        return self._objects(MigrationContext, "context", writes=False)

    @property
    def migration_context(self) -> MigrationContext:
        """The default database's, of :attr:`migration_contexts`."""
        contexts = self.migration_contexts
        return contexts[default_name(contexts)]

    @property
    def context(self) -> MigrationContext:
        """Short for :attr:`migration_context`."""
        return self.migration_context

    @property
    def ops(self) -> dict[str, Operations]:
        """Alembic's ``Operations`` on each database, by its name; their connections are
        those of :attr:`migration_contexts`.
        """
        from alembic.operations import Operations

        return self._objects(Operations, "op", writes=True)

    @property
    def op(self) -> Operations:
        """The default database's, of :attr:`ops`."""
        ops = self.ops
        return ops[default_name(ops)]

    def _close_at_teardown(self, app: App) -> None:
        environments = self._open_environments

        def close(error: BaseException | None = None) -> None:
            environments.close()

        async def close_here(error: BaseException | None = None) -> None:
            environments.close()

        # Quart would call a function that is no coroutine function in a thread.
        app.teardown_appcontext(close_here if is_quart(app) else close)

    def _objects(self, cls: type[T], name: str, writes: bool) -> dict[str, T]:
        from ..apps.engines import are_async
        from ..migration.environment import Environment
        from ..running.direct import open_databases

        self._refuse_to_block(name, f"{name}.method(...)")
        app = self._app()
        databases = self._registry.state(app).databases(app)

        if are_async(databases.engines):
            run: t.Any = (
                commands.migrate.use_op if writes else commands.inspect.use_context
            )
            return {
                database: t.cast(
                    "T",
                    BlockingProxy(
                        cls,
                        name,
                        functools.partial(self._on_databases, run, database),
                    ),
                )
                for database in databases.metadatas
            }

        def open_environment(stack: contextlib.ExitStack) -> Environment:
            opened = open_databases(t.cast("t.Any", databases.engines), stack)

            for connection in opened.connections.values():
                # What is done is done at once, so that it can be seen by the commands,
                # which use connections of their own, and never stays locked.
                connection.execution_options(isolation_level="AUTOCOMMIT")

            return Environment(self._project(app), opened, databases.metadatas)

        environment = self._open_environments.get(open_environment)
        objects = environment.ops if writes else environment.contexts
        return t.cast("dict[str, T]", objects)
