"""Blocking ``op`` and ``context`` properties, for use outside of a command."""

from __future__ import annotations

import contextlib
import functools
import typing as t

from .. import commands
from ..apps.current import is_quart
from ..apps.names import default_name
from ..errors import plugin_errors
from .app_context import AppContextEnvironments
from .blocking_base import BlockingBase

if t.TYPE_CHECKING:
    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from flask.sansio.app import App

    from ..migration.environment import Environment

T = t.TypeVar("T")


class OpAndContext(BlockingBase):
    """The properties of Flask-Alembic that keep a connection open."""

    @functools.cached_property
    def _open_environments(self) -> AppContextEnvironments:
        return AppContextEnvironments()

    @property
    def environment_context(self) -> EnvironmentContext:
        """The current app's ``EnvironmentContext``. No database is needed. After
        :attr:`migration_context` was used in this app context, its environment context.
        """
        with plugin_errors():
            from alembic.runtime.environment import EnvironmentContext

        if environment := self._open_environments.current(self._registry):
            return environment.environment_contexts[environment.default]

        return EnvironmentContext(self.config, self.script_directory)

    @property
    def env(self) -> EnvironmentContext:
        """Short for :attr:`environment_context`."""
        return self.environment_context

    @property
    def migration_contexts(self) -> dict[str, MigrationContext]:
        """Alembic's ``MigrationContext`` of each database, by its name.

        With an ``Engine``, the connection stays open until the end of the app context,
        in autocommit mode. With an ``AsyncEngine``, each use has its own connection.
        """
        with plugin_errors():
            from alembic.runtime.migration import MigrationContext

        return self._live_objects(MigrationContext, "context", writes=False)

    @property
    def migration_context(self) -> MigrationContext:
        """The ``MigrationContext`` of the default database."""
        contexts = self.migration_contexts
        return contexts[default_name(contexts)]

    @property
    def context(self) -> MigrationContext:
        """Short for :attr:`migration_context`."""
        return self.migration_context

    @property
    def ops(self) -> dict[str, Operations]:
        """Alembic's ``Operations`` on each database, by its name, on the connections of
        :attr:`migration_contexts`.
        """
        with plugin_errors():
            from alembic.operations import Operations

        return self._live_objects(Operations, "op", writes=True)

    @property
    def op(self) -> Operations:
        """The ``Operations`` on the default database."""
        ops = self.ops
        return ops[default_name(ops)]

    def _close_at_teardown(self, app: App) -> None:
        environments = self._open_environments

        def close(error: BaseException | None = None) -> None:
            environments.close()

        async def async_close(error: BaseException | None = None) -> None:
            environments.close()

        # Quart calls sync functions in a thread.
        app.teardown_appcontext(async_close if is_quart(app) else close)

    def _live_objects(self, cls: type[T], name: str, writes: bool) -> dict[str, T]:
        from ..apps.engines import are_async
        from ..migration.environment import Environment
        from ..running.direct import open_databases
        from .proxies import BlockingProxy

        self._check_may_block(name, f"{name}.method(...)")
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
                for database in databases.engines
            }

        def open_environment(stack: contextlib.ExitStack) -> Environment:
            opened = open_databases(
                t.cast("t.Any", databases.engines), stack, own_connections=True
            )
            environment = Environment(self._project(app), opened, databases.metadatas)
            stack.enter_context(environment.session_settings())

            for connection in opened.connections.values():
                # Commands use their own connections: they must see the changes, and
                # must not wait for an open transaction.
                connection.execution_options(isolation_level="AUTOCOMMIT")

            return environment

        environment = self._open_environments.get(self._registry, open_environment)
        objects = environment.ops if writes else environment.contexts
        return t.cast("dict[str, T]", objects)
