"""Import what a command needs in a thread, because it takes a while and would block the
event loop.
"""

from __future__ import annotations

import sys

from ..commands import Deferred
from .worker_threads import run_in_worker_thread


async def import_for(command: object) -> None:
    """Import what a command needs, without blocking the caller's event loop.

    :param command: The command.
    """
    if isinstance(command, Deferred) and not command.is_loaded:
        await run_in_worker_thread(lambda: load(command))


def load(command: object) -> None:
    """Import what a command needs, and what runs it."""
    from ..apps import databases as databases
    from ..dialects import load_dialects
    from . import dispatch as dispatch
    from . import threads as threads

    load_dialects()

    # Without it, there is no AsyncEngine.
    if "sqlalchemy.ext.asyncio" in sys.modules:
        from . import greenlets as greenlets

    if isinstance(command, Deferred):
        command.load()
