"""The four ways to run synchronous work with open connections.

The kind of the engines picks the way, never the caller's context: an ``Engine`` works
in a thread, an ``AsyncEngine`` in a greenlet. Here are engines and event loops, and
neither Alembic nor a framework.
"""

from __future__ import annotations

import typing as t

from ..apps.current import loop_is_running
from ..apps.engines import are_async
from ..apps.engines import Engines
from ..apps.engines import is_bound
from .direct import run_directly
from .direct import Work
from .greenlets import run_in_greenlet
from .greenlets import run_in_own_loop
from .greenlets import run_on_copies
from .signals import run_until_signal
from .threads import run_in_thread

if t.TYPE_CHECKING:
    import sqlalchemy as sa

T = t.TypeVar("T")


async def run_awaited(engines: Engines, work: Work[T]) -> T:
    """Run work from a coroutine, without blocking its event loop.

    :param engines: The engine of each database, by its name; all of one kind.
    :param work: Called with the open databases.
    :return: What the work returned.
    :raises DatabaseConnectionError: If a database cannot be connected to.
    """
    if are_async(engines):
        return await run_in_greenlet(engines, work)

    engines = t.cast("dict[str, sa.Engine]", engines)

    if any(is_bound(engine) for engine in engines.values()):
        # The connection cannot leave this thread, and has no network to wait for.
        return run_directly(engines, work)

    return await run_in_thread(engines, work)


def run_blocking(engines: Engines, work: Work[T]) -> T:
    """Run work, and return when it is done.

    :param engines: The engine of each database, by its name; all of one kind.
    :param work: See :func:`run_awaited`.
    :return: What the work returned.
    :raises DatabaseConnectionError: If a database cannot be connected to.
    """
    if are_async(engines):
        return run_in_own_loop(engines, work)

    return run_directly(t.cast("dict[str, sa.Engine]", engines), work)


def run_interruptibly(engines: Engines, work: Work[T]) -> T:
    """Run work as :func:`run_blocking` does, so that Ctrl-C and SIGTERM end it at once,
    also in the middle of a statement whose driver would not listen.

    :raises Interrupted: When what was begun has been rolled back.
    """
    if loop_is_running():
        return run_blocking(engines, work)

    if are_async(engines):
        return run_until_signal(run_on_copies(engines, work))

    engines = t.cast("dict[str, sa.Engine]", engines)

    if any(is_bound(engine) for engine in engines.values()):
        return run_directly(engines, work)

    return run_until_signal(run_in_thread(engines, work))
