"""Run a command for a caller that awaits it."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import inspect
import threading
import typing as t

from ..apps.tenants import read_source
from ..apps.tenants import source_errors
from ..errors import DatabaseConnectionError
from ..running.imports import load
from ..running.worker_threads import run_in_worker_thread
from ..running.worker_threads import sleep
from .base import BaseAlembic
from .blocking import SyncAlembic

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..apps.databases import Databases
    from ..apps.project import Project
    from ..apps.registry import Registry
    from ..apps.tenants import Tenants
    from ..results import TenantResults
    from ..running.dispatch import DatabaseCommand
    from ..running.dispatch import FilesCommand
    from ..running.tenants import TenantCommand
    from .tenant_calls import TenantOptions

P = t.ParamSpec("P")
T = t.TypeVar("T")
#: How long to wait before another attempt to write a revision, in seconds.
_WRITING_INTERVAL = 0.02


class AwaitedBase(BaseAlembic):
    """Runs commands, awaited."""

    _prefer_async = True

    @functools.cached_property
    def sync(self) -> SyncAlembic:
        """The same methods, blocking."""
        return SyncAlembic._from_awaited(self)

    @property
    def _blocking(self) -> SyncAlembic:
        return self.sync

    def _with_registry(self, registry: Registry) -> t.Self:
        view = super()._with_registry(registry)
        view.sync = self.sync._with_registry(registry)
        return view

    def _close_at_teardown(self, app: App) -> None:
        self.sync._close_at_teardown(app)

    async def _do_file_io(
        self, fn: c.Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function that reads or writes files, in a worker thread."""
        return await run_in_worker_thread(lambda: fn(*args, **kwargs))

    async def _clean_up(self, fn: c.Callable[[], object]) -> None:
        """Call a function that removes files, also if the caller is cancelled."""
        import anyio

        with anyio.CancelScope(shield=True):
            await run_in_worker_thread(fn)

    async def _on_files(
        self, command: FilesCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        app = self._app()
        return await run_in_worker_thread(
            lambda: command(self._project(app), *args, **kwargs)
        )

    async def _on_databases(
        self, command: DatabaseCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        project, databases = await self._bind(command)

        if project.settings.tenant_schema is not None:
            from .tenant_calls import in_existing_schema

            command = in_existing_schema(command)

        return await self._on_bound(project, databases, command, *args, **kwargs)

    async def _on_waited_for(
        self, command: DatabaseCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As :meth:`_on_databases`. The schema of a tenant need not exist yet."""
        project, databases = await self._bind(command)
        return await self._on_bound(project, databases, command, *args, **kwargs)

    async def _bind(self, command: object) -> tuple[Project, Databases]:
        app = self._app()
        await self._find_tenant()

        def prepare() -> Project:
            load(command)
            return self._project(app)

        project = await run_in_worker_thread(prepare)
        return project, self._registry.state(app).databases(app)

    async def _on_bound(
        self,
        project: Project,
        databases: Databases,
        command: DatabaseCommand[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        from ..running.dispatch import await_on_databases

        return await await_on_databases(project, databases, command, *args, **kwargs)

    async def _on_reachable(
        self,
        command: DatabaseCommand[P, dict[str, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> dict[str, T]:
        """Run a command on each database that can be reached, and join the results."""
        found: dict[str, T] = {}
        await self._find_tenant()

        for name in await self._do_file_io(self._urls):
            only = self.with_options(database=name)

            with contextlib.suppress(DatabaseConnectionError):
                found |= await only._on_databases(command, *args, **kwargs)

        return found

    async def _on_scratch(self, command: c.Callable[..., T], *args: t.Any) -> T:
        app = self._app()
        await self._find_tenant()
        await run_in_worker_thread(lambda: load(command))
        from ..running.scratch import await_on_scratch

        databases = self._registry.state(app).databases(app)
        return await await_on_scratch(self._project(app), databases, command, *args)

    async def _find_tenant(self) -> None:
        """Look up the tenant that the options name, if they name one."""
        tenant = self._registry.tenant

        if tenant is None or tenant.engine is not None:
            return

        tenants = await self._find_tenants()
        tenants.names([tenant.name])
        await self._use_schema_of(tenants, tenant.name)

    async def _use_schema_of(self, tenants: Tenants, name: str) -> None:
        """Look up a tenant, whose schema may not exist yet."""
        if engine := tenants.uninitialized_engine:
            from ..running.by_engine import run_awaited

            engines: t.Any = {name: engine}
            await run_awaited(engines, lambda opened: None)

        self._registry.set_tenant(tenants.find(name))

    async def _find_tenants(self) -> Tenants:
        from .tenant_calls import source_of
        from .tenant_calls import tenants_of

        source = source_of(self)

        with source_errors(source):
            given = await run_in_worker_thread(lambda: read_source(source))

            if inspect.isawaitable(given):
                given = await given

        return tenants_of(self, given)

    async def _over_tenants(
        self, options: TenantOptions, command: TenantCommand[T]
    ) -> TenantResults[T]:
        from ..running.tenants import await_for_tenants
        from .tenant_calls import make_call

        call = make_call(self, await self._find_tenants(), options, command)

        async with contextlib.aclosing(await_for_tenants(call)) as results:
            async for result in results:
                yield result

    async def _wait_for_turn(self) -> threading.Lock:
        """Wait until nobody else in this process writes a revision to the same folder.
        Two at once would have the same parent.
        """
        turn = self._writing_turn()

        while not turn.acquire(blocking=False):
            await self._sleep(_WRITING_INTERVAL)

        return turn

    async def _sleep(self, seconds: float) -> None:
        await sleep(seconds)
