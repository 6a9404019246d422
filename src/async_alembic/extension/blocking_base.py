"""Run a blocking call, or refuse it while an event loop is running."""

from __future__ import annotations

import collections.abc as c
import contextlib
import copy
import functools
import inspect
import threading
import time
import typing as t

from .. import commands
from ..apps.current import loop_is_running
from ..apps.tenants import read_source
from ..apps.tenants import source_errors
from ..errors import BlockingCallError
from ..errors import DatabaseConnectionError
from .base import BaseAlembic

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.script import Script
    from flask.sansio.app import App

    from ..apps.databases import Databases
    from ..apps.project import Project
    from ..apps.tenants import Tenants
    from ..commands.generate import Questions
    from ..results import BlockingTenantResults
    from ..running.dispatch import DatabaseCommand
    from ..running.dispatch import FilesCommand
    from ..running.tenants import TenantCommand
    from .tenant_calls import TenantOptions

P = t.ParamSpec("P")
T = t.TypeVar("T")


def blocks(method: c.Callable[P, T]) -> c.Callable[P, T]:
    """Refuse calls of a method in a thread that runs an event loop."""

    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        extension = t.cast("BlockingBase", args[0])
        extension._check_may_block(method.__name__, f"{method.__name__}(...)")
        return method(*args, **kwargs)

    return wrapper


def blocks_iterating(method: c.Callable[P, T]) -> c.Callable[P, T]:
    """As :func:`blocks`, for a method whose results are iterated over."""

    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        extension = t.cast("BlockingBase", args[0])
        name = method.__name__
        extension._check_may_block(name, f"{name}(...)", iterated=True)
        return method(*args, **kwargs)

    return wrapper


class BlockingBase(BaseAlembic):
    """Runs commands, blocking."""

    _prefer_async = False
    _awaited: BaseAlembic | None = None
    #: The app of the command line. A command of it may block an event loop, because
    #: nothing else runs in its process or test.
    _command_line_app: App | None = None

    @classmethod
    def _from_awaited(cls, awaited: BaseAlembic) -> t.Self:
        """Return the blocking twin of an async extension, with the same apps."""
        twin = cls.__new__(cls)
        twin._awaited = awaited
        twin._registry = awaited._registry
        twin.run_mkdir = awaited.run_mkdir
        twin.command_name = awaited.command_name
        return twin

    def _for_command_line(self, app: App) -> t.Self:
        """Return a copy of this extension for one invocation of the command line.

        :param app: The app of the command line.
        """
        bound = copy.copy(self)
        bound._command_line_app = app
        return bound

    def rev_id(self) -> str:
        """Return an id for a new revision; see :meth:`Alembic.rev_id`."""
        return super().rev_id() if self._awaited is None else self._awaited.rev_id()

    def _current_by_database(self) -> dict[str, tuple[Script, ...]]:
        """Return the current revisions of each database for the ``current`` command."""
        return self._on_databases(commands.inspect.current_by_database)

    def _urls(self) -> dict[str, sa.URL]:
        self._find_tenant()
        return super()._urls()

    def _all_revisions(self) -> tuple[Script, ...]:
        """Return all revisions, to complete their ids."""
        return self._on_files(commands.inspect.revisions)

    def _check(self) -> list[str]:
        """Describe the differences for the ``check`` command."""
        return self._on_databases(commands.compare.check)

    def _revision_or_questions(
        self, message: str, **options: t.Any
    ) -> list[Script] | Questions:
        """Write a revision for the ``revision`` command, unless it has to ask first.

        :param options: The arguments of :meth:`.SyncAlembic.revision`.
        """
        names = frozenset(options["drop"]), tuple(options["rename"])
        options |= {"drop": names[0], "rename": names[1]}
        new = commands.generate.NewRevision(message, **options)
        return self._on_databases(commands.generate.revision_or_questions, new)

    def _check_single_head(self) -> None:
        """Check the history for ``check --single-head``."""
        self._on_files(commands.rebase.check_single_head)

    def _app(self) -> App:
        return self._command_line_app or super()._app()

    def _check_may_block(
        self, method: str, awaited: str, *, iterated: bool = False
    ) -> None:
        if self._command_line_app is None and loop_is_running():
            raise BlockingCallError(method, awaited, iterated=iterated)

    def _do_file_io(self, fn: c.Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return fn(*args, **kwargs)

    def _clean_up(self, fn: c.Callable[[], object]) -> None:
        fn()

    def _on_files(
        self, command: FilesCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return command(self._project(self._app()), *args, **kwargs)

    def _on_databases(
        self, command: DatabaseCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        project, databases = self._bind()

        if project.settings.tenant_schema is not None:
            from .tenant_calls import in_existing_schema

            command = in_existing_schema(command)

        return self._on_bound(project, databases, command, *args, **kwargs)

    def _on_waited_for(
        self, command: DatabaseCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        project, databases = self._bind()
        return self._on_bound(project, databases, command, *args, **kwargs)

    def _bind(self) -> tuple[Project, Databases]:
        app = self._app()
        self._find_tenant()
        return self._project(app), self._registry.state(app).databases(app)

    def _on_bound(
        self,
        project: Project,
        databases: Databases,
        command: DatabaseCommand[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        from ..running.dispatch import block_on_databases

        interruptible = self._command_line_app is not None
        return block_on_databases(
            project, databases, interruptible, command, *args, **kwargs
        )

    def _on_reachable(
        self,
        command: DatabaseCommand[P, dict[str, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> dict[str, T]:
        found: dict[str, T] = {}

        for name in self._urls():
            only = self.with_options(database=name)

            with contextlib.suppress(DatabaseConnectionError):
                found |= only._on_databases(command, *args, **kwargs)

        return found

    def _on_scratch(self, command: c.Callable[..., T], *args: t.Any) -> T:
        from ..running.scratch import block_on_scratch

        app = self._app()
        self._find_tenant()
        return block_on_scratch(
            self._project(app),
            self._registry.state(app).databases(app),
            self._command_line_app is not None,
            command,
            *args,
        )

    def _find_tenant(self) -> None:
        tenant = self._registry.tenant

        if tenant is None or tenant.engine is not None:
            return

        tenants = self._find_tenants()
        tenants.names([tenant.name])
        self._use_schema_of(tenants, tenant.name)

    def _use_schema_of(self, tenants: Tenants, name: str) -> None:
        if engine := tenants.uninitialized_engine:
            from ..running.by_engine import run_blocking

            engines: t.Any = {name: engine}
            run_blocking(engines, lambda opened: None)

        self._registry.set_tenant(tenants.find(name))

    def _find_tenants(self) -> Tenants:
        from .tenant_calls import source_of
        from .tenant_calls import tenants_of

        source = source_of(self)

        with source_errors(source):
            given = read_source(source)

            if inspect.isawaitable(given):
                from ..running.receivers import run_coroutine

                given = run_coroutine(_await(given))

        return tenants_of(self, given)

    def _over_tenants(
        self, options: TenantOptions, command: TenantCommand[T]
    ) -> BlockingTenantResults[T]:
        from ..running.tenants import block_for_tenants
        from .tenant_calls import make_call

        return block_for_tenants(
            make_call(self, self._find_tenants(), options, command)
        )

    def _wait_for_turn(self) -> threading.Lock:
        turn = self._writing_turn()
        turn.acquire()
        return turn

    def _sleep(self, seconds: float) -> None:
        time.sleep(seconds)


async def _await(awaitable: c.Awaitable[T]) -> T:
    return await awaitable
