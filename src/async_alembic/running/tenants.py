"""Run a command for many tenants, some of them at once.

Each tenant is migrated by a task of an event loop, in the way that its engine needs.
The loop is the caller's, or one in a thread of its own for callers that block, or are
on trio.
"""

from __future__ import annotations

import asyncio
import collections.abc as c
import contextlib
import contextvars
import dataclasses
import queue
import threading
import time
import typing as t

from .. import commands
from ..apps.current import loop_is_running
from ..apps.tenants import missing_schema
from ..errors import DatabaseConnectionError
from ..results import TenantResult
from .dispatch import await_on_databases
from .imports import load
from .tenant_queue import TenantQueue
from .worker_threads import run_in_worker_thread
from .worker_threads import shared_worker_threads

if t.TYPE_CHECKING:
    from ..apps.databases import Databases
    from ..apps.project import Project
    from ..apps.tenants import Tenant
    from ..apps.tenants import Tenants
    from ..dialects.schema_heads import Heads
    from ..results import BlockingTenantResults
    from ..results import TenantResults
    from .dispatch import DatabaseCommand

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class TenantCommand(t.Generic[T]):
    """A command that is run for one tenant at a time.

    :param command: The command.
    :param args: Its arguments.
    :param kwargs: Its keyword arguments.
    :param check: Checks the arguments before any tenant is connected to.
    :param takes_heads: Whether it takes the ids of the revisions that a tenant is at as
        ``at``, where they were read before.
    :param known: Returns the result for a tenant that is at some revisions, if that can
        be told without connecting to it.
    :param by_heads: Whether the result is the same for all tenants that are at the same
        revisions.
    """

    command: DatabaseCommand[..., T]
    args: tuple[t.Any, ...] = ()
    kwargs: c.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    check: c.Callable[[Project], None] = lambda project: None
    takes_heads: bool = False
    known: c.Callable[[Project, tuple[str, ...]], T | None] = lambda project, at: None
    by_heads: bool = False


@dataclasses.dataclass(frozen=True)
class TenantCall(t.Generic[T]):
    """A call of a command for tenants.

    :param command: The command.
    :param tenants: All tenants of the app.
    :param names: The names of those to run it for.
    :param bind: Returns what the command needs for a tenant.
    :param bind_shared: Returns the project of all tenants, and the database that has
        their schemas, if one has.
    :param limit: How many tenants to connect to at once.
    :param keep_going: Whether to go on after a tenant has failed.
    :param lock_timeout: See :class:`.TenantQueue`.
    :param connect_timeout: See :class:`.TenantQueue`.
    """

    command: TenantCommand[T]
    tenants: Tenants
    names: c.Sequence[str]
    bind: c.Callable[[Tenant], tuple[Project, Databases]]
    bind_shared: c.Callable[[], tuple[Project, Databases | None]]
    limit: int
    keep_going: bool
    lock_timeout: float
    connect_timeout: float

    def queue(self, names: c.Iterable[str]) -> TenantQueue:
        """Return a queue of some of the tenants."""
        return TenantQueue(
            names,
            self.tenants.server,
            self.limit,
            self.lock_timeout,
            self.connect_timeout,
        )


async def await_for_tenants(call: TenantCall[T]) -> TenantResults[T]:
    """Run a command for tenants, without blocking the caller's event loop.

    :return: A result of each tenant, as soon as it is there.
    """
    if loop_is_running():
        async with contextlib.aclosing(_run(call)) as results:
            async for result in results:
                yield result

        return

    import anyio

    in_thread = _InThread(call)

    try:
        while found := await run_in_worker_thread(in_thread.next, in_thread.cancel):
            yield found
    finally:
        with anyio.CancelScope(shield=True):
            await run_in_worker_thread(in_thread.close)


def block_for_tenants(call: TenantCall[T]) -> BlockingTenantResults[T]:
    """Blocking form of :func:`await_for_tenants`."""
    in_thread = _InThread(call)

    try:
        while result := in_thread.next():
            yield result
    finally:
        in_thread.close()


class _InThread(t.Generic[T]):
    """A call in an event loop in a thread of its own, whose results a blocking caller
    takes when it gets to it.
    """

    def __init__(self, call: TenantCall[T]) -> None:
        self._call = call
        self._results: queue.SimpleQueue[TenantResult[T] | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._run())
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._run_loop,), name="async_alembic"
        )
        self._thread.start()

    def next(self) -> TenantResult[T] | None:
        """Wait for the next result.

        :return: ``None`` at the end.
        """
        if (result := self._results.get()) is not None:
            return result

        # For whoever asks again.
        self._results.put(None)

        if self._failure is not None:
            raise self._failure

        return None

    def cancel(self) -> None:
        """Roll back what is at work, from any thread. No result follows."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._task.cancel)

    def close(self) -> None:
        """Roll back what is at work, and wait for that."""
        self.cancel()
        self._thread.join()

    def _run_loop(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._wait())
        except RuntimeError as e:
            # gevent's greenlets share a thread, in which another loop may run.
            self._failure = e
            self._results.put(None)

    async def _wait(self) -> None:
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            async with contextlib.aclosing(_run(self._call)) as results:
                async for result in results:
                    self._results.put(result)
        except asyncio.CancelledError:
            pass
        except BaseException as e:
            self._failure = e
        finally:
            self._results.put(None)


async def _run(call: TenantCall[T]) -> TenantResults[T]:
    def prepare() -> tuple[Project, Databases | None]:
        load(call.command.command)
        project, shared = call.bind_shared()
        call.command.check(project)
        return project, shared

    project, shared = await run_in_worker_thread(prepare)
    heads = await _read_heads(call, project, shared) if shared is not None else {}
    #: The tenants that have the same result, by one of them.
    groups: dict[str, list[str]] = {}
    first_at: dict[tuple[str, ...], str] = {}

    for name in call.names:
        at = heads.get(name)

        if at is not None and (value := call.command.known(project, at)) is not None:
            yield TenantResult(name, value)
        elif at is not None and call.command.by_heads:
            groups.setdefault(first_at.setdefault(at, name), []).append(name)
        else:
            groups[name] = [name]

    missing = {name for name, at in heads.items() if at is None}

    async def run(name: str) -> T:
        if name in missing:
            raise missing_schema(name)

        project, databases = await run_in_worker_thread(
            lambda: call.bind(tenants.find(name))
        )
        command, kwargs = call.command, {**call.command.kwargs}

        if command.takes_heads:
            kwargs["at"] = heads.get(name)

        return await await_on_databases(
            project, databases, command.command, *command.args, **kwargs
        )

    waiting = call.queue(groups)
    tenants, kept = call.tenants.keeping_connections(call.limit, waiting.has_ready)

    try:
        with shared_worker_threads(call.limit) as context:
            fanned_out = _fan_out(call, waiting, run, context)

            async with contextlib.aclosing(fanned_out) as results:
                async for result in results:
                    for name in groups[result.tenant]:
                        yield dataclasses.replace(result, tenant=name)
    finally:
        if kept is not None:
            disposing = kept.dispose()

            if disposing is not None:
                await disposing


async def _read_heads(
    call: TenantCall[T], project: Project, shared: Databases
) -> dict[str, Heads]:
    """Return where the tenants are, whose schemas are in one database."""
    waiting = call.queue([""])

    while True:
        waiting.next()

        try:
            return await await_on_databases(
                project, shared, commands.tenants.read_heads, call.names
            )
        except DatabaseConnectionError as e:
            if not waiting.comes_back("", e):
                raise

            await asyncio.sleep(waiting.delay() or 0)


async def _fan_out(
    call: TenantCall[T],
    waiting: TenantQueue,
    run: c.Callable[[str], c.Awaitable[T]],
    context: contextvars.Context,
) -> TenantResults[T]:
    at_work: set[asyncio.Task[TenantResult[T]]] = set()

    try:
        while True:
            while len(at_work) < call.limit and (name := waiting.next()) is not None:
                work = _timed(name, run)
                at_work.add(asyncio.create_task(work, context=context.copy()))

            if not at_work and waiting.is_empty:
                return

            if at_work:
                is_full = len(at_work) >= call.limit
                done, at_work = await asyncio.wait(
                    at_work,
                    timeout=None if is_full else waiting.delay(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
            else:
                done = set()
                await asyncio.sleep(waiting.delay() or 0)

            for task in done:
                result = task.result()

                if waiting.comes_back(result.tenant, result.error):
                    continue

                if result.error is not None and not call.keep_going:
                    waiting.clear()

                yield result

                for name in waiting.given_up_with(result.tenant):
                    yield TenantResult(name, error=result.error)
    finally:
        await _cancel(at_work)


async def _timed(name: str, run: c.Callable[[str], c.Awaitable[T]]) -> TenantResult[T]:
    started = time.perf_counter()
    value: T | None = None
    error: Exception | None = None

    try:
        value = await run(name)
    except Exception as e:
        error = e

    return TenantResult(name, value, time.perf_counter() - started, error)


async def _cancel(tasks: c.Collection[asyncio.Task[t.Any]]) -> None:
    """Cancel tasks, and wait until they have rolled back."""
    import anyio

    for task in tasks:
        task.cancel()

    # One of anyio's scopes would cancel again and again.
    with anyio.CancelScope(shield=True):
        while any(not task.done() for task in tasks):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(tasks)
