"""Run a command with scratch copies of the app's databases."""

from __future__ import annotations

import collections.abc as c
import typing as t

from .. import commands
from ..apps.guarded_engines import guarded
from .dispatch import await_on_databases
from .dispatch import block_on_databases

if t.TYPE_CHECKING:
    from ..apps.databases import Databases
    from ..apps.project import Project

T = t.TypeVar("T")


async def await_on_scratch(
    project: Project,
    databases: Databases,
    command: c.Callable[..., T],
    *args: t.Any,
) -> T:
    """Run a command with empty databases beside the app's. They are dropped at the end,
    also if it fails or is cancelled.

    :param args: The arguments of the command.
    """
    import anyio

    project = project.without_signals
    created: dict[str, str] = {}
    scratch = commands.scratch

    try:
        await await_on_databases(project, databases, scratch.create, created)
        others = databases.with_others(created)

        with guarded(databases.engines):
            return await await_on_databases(
                project, others, scratch.run, created, command, *args
            )
    finally:
        with anyio.CancelScope(shield=True):
            await await_on_databases(project, databases, scratch.drop, created)


def block_on_scratch(
    project: Project,
    databases: Databases,
    interruptible: bool,
    command: c.Callable[..., T],
    *args: t.Any,
) -> T:
    """Blocking form of :func:`await_on_scratch`."""
    project = project.without_signals
    created: dict[str, str] = {}
    scratch = commands.scratch

    try:
        block_on_databases(project, databases, interruptible, scratch.create, created)
        others = databases.with_others(created)

        with guarded(databases.engines):
            return block_on_databases(
                project, others, interruptible, scratch.run, created, command, *args
            )
    finally:
        block_on_databases(project, databases, interruptible, scratch.drop, created)
