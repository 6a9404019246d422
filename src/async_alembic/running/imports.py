"""Import Alembic in a thread on the first call, because the import is slow and would
block the event loop.
"""

from __future__ import annotations

from ..commands import Deferred

_common_imports_done = False


async def import_for(command: object) -> None:
    """Import what a command needs, without blocking the caller's event loop.

    :param command: The command.
    """
    import asyncio

    is_loaded = not isinstance(command, Deferred) or command.is_loaded

    if not (is_loaded and _common_imports_done):
        await asyncio.get_running_loop().run_in_executor(None, _import, command)


def _import(command: object) -> None:
    global _common_imports_done
    import anyio

    from ..apps import databases as databases
    from . import dispatch as dispatch

    if isinstance(command, Deferred):
        command.load()

    # anyio imports its backend on first use.
    anyio.run(anyio.sleep, 0)
    _common_imports_done = True
