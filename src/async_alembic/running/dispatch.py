"""Run a command with the app's open databases."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..apps.engines import is_copy
from ..commands import changes_databases
from ..migration.environment import Environment
from . import by_engine

if t.TYPE_CHECKING:
    from ..apps.databases import Databases
    from ..apps.project import Project
    from ..migration.open_databases import OpenDatabases
    from .direct import Work

P = t.ParamSpec("P")
T = t.TypeVar("T")
FilesCommand: t.TypeAlias = c.Callable[t.Concatenate["Project", P], T]
DatabaseCommand: t.TypeAlias = c.Callable[t.Concatenate[Environment, P], T]


async def await_on_databases(
    project: Project,
    databases: Databases,
    command: DatabaseCommand[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run a command on the databases, without blocking the caller's event loop."""
    work = _make_work(project, databases, lambda env: command(env, *args, **kwargs))
    own_connections = _needs_own_connections(project, databases, command)
    return await by_engine.run_awaited(databases.engines, work, own_connections)


def block_on_databases(
    project: Project,
    databases: Databases,
    interruptible: bool,
    command: DatabaseCommand[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run a command on the databases, blocking.

    :param interruptible: Whether Ctrl-C and SIGTERM stop the command at once.
    """
    work = _make_work(project, databases, lambda env: command(env, *args, **kwargs))
    run = by_engine.run_interruptibly if interruptible else by_engine.run_blocking
    own_connections = _needs_own_connections(project, databases, command)
    return run(databases.engines, work, own_connections)


def _make_work(
    project: Project, databases: Databases, command: c.Callable[[Environment], T]
) -> Work[T]:
    def work(opened: OpenDatabases) -> T:
        env = Environment(project, opened, databases.metadatas)

        with env.session_settings():
            return command(env)

    return work


def _needs_own_connections(
    project: Project, databases: Databases, command: object
) -> bool:
    """Return whether the sessions of a command must not reach the app afterwards, or
    are those of a copy of its engine.
    """
    has_session = project.settings.has_session(databases.metadatas)
    are_copies = any(map(is_copy, databases.engines.values()))
    return has_session or are_copies or changes_databases(command)
