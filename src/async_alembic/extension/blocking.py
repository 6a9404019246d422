"""The blocking shell: the same names, one line for each command."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import time
import typing as t

from .. import commands
from ..apps import registry
from ..apps.settings import default_name
from ..errors import BlockingCallError
from ..history.targets import names_current
from .app_context import LiveContexts
from .base import Shell
from .proxies import BlockingProxy

if t.TYPE_CHECKING:
    from alembic.operations import MigrationScript
    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script
    from flask.sansio.app import App

    from ..history.targets import StepTarget
    from ..history.targets import Target
    from ..migration.environment import Environment
    from ..migration.environment import Steps
    from ..results import DatabaseStatus
    from ..running.dispatch import DatabaseCommand
    from ..running.dispatch import FilesCommand

P = t.ParamSpec("P")
T = t.TypeVar("T")


def _blocks(method: c.Callable[P, T]) -> c.Callable[P, T]:
    """Refuse a call in a thread whose event loop is running."""

    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        _refuse_to_block(method.__name__, f"{method.__name__}(...)")
        return method(*args, **kwargs)

    return wrapper


def _refuse_to_block(method: str, awaited: str) -> None:
    from ..running.direct import loop_is_running

    # The command line may block: it is all that runs in its process, or in its test.
    if registry.invocation.get() is None and loop_is_running():
        raise BlockingCallError(method, awaited)


class SyncAlembic(Shell):
    """Database migrations for a Flask or a Quart app, blocking.

    Takes the place of Flask-Alembic's ``Alembic``, and the arguments of
    :class:`Alembic`. With an ``AsyncEngine``, each call runs in an event loop of its
    own, on connections of its own.
    """

    _prefer_async = False
    _shell: Shell | None = None

    @classmethod
    def _of(cls, shell: Shell) -> SyncAlembic:
        """The blocking twin of another shell, for the same apps."""
        twin = cls.__new__(cls)
        twin._shell = shell
        twin._registry = shell._registry
        twin.run_mkdir = shell.run_mkdir
        twin.command_name = shell.command_name
        return twin

    @functools.cached_property
    def _live(self) -> LiveContexts:
        return LiveContexts()

    @property
    def _blocking(self) -> SyncAlembic:
        return self

    @_blocks
    def mkdir(self) -> None:
        """Blocking form of :meth:`Alembic.mkdir`."""
        self._mkdir(self._registry.app())

    @_blocks
    def current(self) -> tuple[Script, ...]:
        """Blocking form of :meth:`Alembic.current`."""
        return self._on_databases(commands.inspect.current)

    @_blocks
    def heads(self, resolve_dependencies: bool = False) -> tuple[Script, ...]:
        """Blocking form of :meth:`Alembic.heads`."""
        return self._on_files(commands.inspect.heads, resolve_dependencies)

    @_blocks
    def branches(self) -> list[Script]:
        """Blocking form of :meth:`Alembic.branches`."""
        return self._on_files(commands.inspect.branches)

    @_blocks
    def log(self, start: Target = "base", end: Target = "heads") -> list[Script]:
        """Blocking form of :meth:`Alembic.log`."""
        if names_current(start, end):
            return self._on_databases(commands.inspect.log_from_current, start, end)

        return self._on_files(commands.inspect.log, start, end)

    @_blocks
    def stamp(self, target: Target = "heads", *, purge: bool = False) -> None:
        """Blocking form of :meth:`Alembic.stamp`."""
        self._on_databases(commands.migrate.stamp, target, purge)

    @_blocks
    def upgrade(
        self, target: StepTarget = "heads", *, retry: bool = False
    ) -> list[Script]:
        """Blocking form of :meth:`Alembic.upgrade`."""
        return self._on_databases(
            commands.migrate.upgrade, target, self._report(), retry=retry
        )

    @_blocks
    def downgrade(
        self, target: StepTarget = -1, *, retry: bool = False
    ) -> list[Script]:
        """Blocking form of :meth:`Alembic.downgrade`."""
        return self._on_databases(
            commands.migrate.downgrade, target, self._report(), retry=retry
        )

    @_blocks
    def revision(
        self,
        message: str,
        empty: bool = False,
        branch: str = "default",
        parent: Target = "head",
        splice: bool = False,
        depend: Target | None = None,
        label: str | c.Iterable[str] | None = None,
        path: str | None = None,
        rev_id: str | None = None,
    ) -> list[Script]:
        """Blocking form of :meth:`Alembic.revision`."""
        new = commands.generate.NewRevision(
            message, empty, branch, parent, splice, depend, label, path, rev_id
        )

        if commands.generate.needs_database(self.config, new):
            return self._on_databases(commands.generate.revision, new)

        return self._on_files(commands.generate.empty_revision, new)

    @_blocks
    def merge(
        self,
        revisions: Target = "heads",
        message: str | None = None,
        label: str | c.Iterable[str] | None = None,
        splice: bool = False,
    ) -> Script | None:
        """Blocking form of :meth:`Alembic.merge`."""
        return self._on_files(
            commands.generate.merge, revisions, message, label, splice
        )

    @_blocks
    def produce_migrations(self) -> MigrationScript:
        """Blocking form of :meth:`Alembic.produce_migrations`."""
        return self._on_databases(commands.compare.produce_migrations)

    @_blocks
    def compare_metadata(self) -> list[tuple[t.Any, ...]]:
        """Blocking form of :meth:`Alembic.compare_metadata`."""
        return self._on_databases(commands.compare.compare_metadata)

    @_blocks
    def needs_upgrade(self) -> bool:
        """Blocking form of :meth:`Alembic.needs_upgrade`."""
        return self._on_databases(commands.inspect.needs_upgrade)

    @_blocks
    def needs_revision(self) -> bool:
        """Blocking form of :meth:`Alembic.needs_revision`."""
        return self._on_databases(commands.compare.needs_revision)

    @_blocks
    def status(self) -> dict[str, DatabaseStatus]:
        """Blocking form of :meth:`Alembic.status`."""
        return self._on_databases(commands.inspect.status_of_all)

    @_blocks
    def wait_until_current(self, timeout: float | None = None) -> None:
        """Blocking form of :meth:`Alembic.wait_until_current`."""
        from ..commands.waiting import Waiting

        waiting = Waiting(timeout)
        look = commands.inspect.status_unless_locked

        while (delay := waiting.next_delay(self._on_databases(look))) is not None:
            time.sleep(delay)

    @_blocks
    def run_migrations(self, fn: Steps, **kwargs: t.Any) -> None:
        """Blocking form of :meth:`Alembic.run_migrations`."""
        self._on_databases(commands.migrate.run_migrations, fn, **kwargs)

    @_blocks
    def run(self, fn: c.Callable[[Environment], T]) -> T:
        """Blocking form of :meth:`Alembic.run`."""
        return self._on_databases(commands.migrate.run, fn)

    @property
    def environment_context(self) -> EnvironmentContext:
        """The current app's ``EnvironmentContext``. No database is needed; it is that
        of :attr:`migration_context` once that was used in this app context.
        """
        from alembic.runtime.environment import EnvironmentContext

        if live := self._live.current():
            return live.environment_contexts[live.default]

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

        return self._live_objects(MigrationContext, "context", writes=False)

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

        return self._live_objects(Operations, "op", writes=True)

    @property
    def op(self) -> Operations:
        """The default database's, of :attr:`ops`."""
        ops = self.ops
        return ops[default_name(ops)]

    def rev_id(self) -> str:
        """See :meth:`Alembic.rev_id`, which this is the twin of."""
        return super().rev_id() if self._shell is None else self._shell.rev_id()

    def _show(self, revisions: Target) -> tuple[Script, ...]:
        """The revisions for the command line's ``show``."""
        if names_current(revisions):
            return self._on_databases(commands.inspect.show_current, revisions)

        return self._on_files(commands.inspect.show, revisions)

    def _close_at_teardown(self, app: App) -> None:
        """Close the live connections of each app context at its end."""
        live = self._live

        def close(error: BaseException | None = None) -> None:
            live.close()

        async def close_here(error: BaseException | None = None) -> None:
            live.close()

        # Quart would call a function that is no coroutine function in a thread.
        app.teardown_appcontext(close_here if registry.is_quart(app) else close)

    def _live_objects(self, cls: type[T], name: str, writes: bool) -> dict[str, T]:
        from ..apps.engines import are_async
        from ..migration.environment import Environment
        from ..running.direct import open_access

        _refuse_to_block(name, f"{name}.method(...)")
        app = self._registry.app()
        targets = self._registry.state(app).targets(app)

        if are_async(targets.engines):
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
                for database in targets.metadatas
            }

        def open_environment(stack: contextlib.ExitStack) -> Environment:
            access = open_access(t.cast("t.Any", targets.engines), stack)

            for connection in access.connections.values():
                # What is done is done at once, so that it can be seen by the commands,
                # which use connections of their own, and never stays locked.
                connection.execution_options(isolation_level="AUTOCOMMIT")

            return Environment(self._project(app), access, targets.metadatas)

        environment = self._live.get(open_environment)
        objects = environment.ops if writes else environment.contexts
        return t.cast("dict[str, T]", objects)

    def _on_files(
        self, command: FilesCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return command(self._project(self._registry.app()), *args, **kwargs)

    def _on_databases(
        self, command: DatabaseCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        from ..running.dispatch import block_on_databases

        app = self._registry.app()
        return block_on_databases(
            lambda: self._project(app),
            self._registry.state(app).targets(app),
            command,
            *args,
            **kwargs,
        )
