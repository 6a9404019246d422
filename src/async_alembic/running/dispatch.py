"""How a call becomes a command: the files of the app, its databases, and a runner."""

from __future__ import annotations

import collections.abc as c
import typing as t

import anyio.to_thread

from ..apps import registry
from ..migration.environment import Environment
from . import by_engine

if t.TYPE_CHECKING:
    from ..apps.databases import Targets
    from ..apps.project import Project
    from ..migration.open_databases import Access
    from .direct import Work

    GetProject: t.TypeAlias = c.Callable[[], Project]

P = t.ParamSpec("P")
T = t.TypeVar("T")
FilesCommand: t.TypeAlias = c.Callable[t.Concatenate["Project", P], T]
DatabaseCommand: t.TypeAlias = c.Callable[t.Concatenate[Environment, P], T]


async def await_on_files(
    project: GetProject, command: FilesCommand[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a command that reads and writes files, in a thread."""
    return await anyio.to_thread.run_sync(lambda: command(project(), *args, **kwargs))


async def await_on_databases(
    project: GetProject,
    targets: Targets,
    command: DatabaseCommand[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run a command on the databases, without blocking the caller's event loop."""
    loaded = await anyio.to_thread.run_sync(project)
    work = _work(loaded, targets, lambda env: command(env, *args, **kwargs))
    return await by_engine.run_awaited(targets.engines, work)


def block_on_databases(
    project: GetProject,
    targets: Targets,
    command: DatabaseCommand[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run a command on the databases, and return when it is done."""
    work = _work(project(), targets, lambda env: command(env, *args, **kwargs))
    # What the command line runs may be interrupted by its user.
    interruptible = registry.invocation.get() is not None
    run = by_engine.run_interruptibly if interruptible else by_engine.run_blocking
    return run(targets.engines, work)


def _work(
    project: Project, targets: Targets, command: c.Callable[[Environment], T]
) -> Work[T]:
    def work(access: Access) -> T:
        return command(Environment(project, access, targets.metadatas))

    return work
