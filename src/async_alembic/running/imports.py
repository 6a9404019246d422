"""Imports in a thread. The first call of a process imports Alembic, which takes a
while, and the event loop must go on meanwhile.
"""

from __future__ import annotations

from ..commands import Deferred

_is_prepared = False


async def import_for(command: object) -> None:
    """Import what a call of a command needs, without blocking the caller's event loop.

    :param command: The command.
    """
    import asyncio

    is_loaded = not isinstance(command, Deferred) or command.is_loaded

    if not (is_loaded and _is_prepared):
        await asyncio.get_running_loop().run_in_executor(None, _import, command)


def _import(command: object) -> None:
    global _is_prepared
    import anyio

    from ..apps import databases as databases
    from . import dispatch as dispatch

    if isinstance(command, Deferred):
        command.load()

    # It imports more when it is first used.
    anyio.run(anyio.sleep, 0)
    _is_prepared = True
