"""The four ways to run synchronous work with open connections.

The way depends on the kind of the engines, never on the caller's context: an ``Engine``
works in a thread, an ``AsyncEngine`` in a greenlet. Only the module of the way that is
taken is imported.
"""

from __future__ import annotations

import typing as t

from ..apps.current import loop_is_running
from ..apps.engines import are_async
from ..apps.engines import Engines
from ..apps.engines import is_single_connection
from ..errors import ConfigurationError
from .direct import run_directly
from .direct import Work

if t.TYPE_CHECKING:
    import sqlalchemy as sa

T = t.TypeVar("T")


async def run_awaited(
    engines: Engines, work: Work[T], own_connections: bool = False
) -> T:
    """Run work from a coroutine, without blocking its event loop.

    :param engines: The engine of each database, by its name; all of one kind.
    :param work: A function that takes the open databases.
    :param own_connections: Whether to leave the engines' pools alone: to neither take
        connections from them nor return any.
    :return: The result of ``work``.
    :raises DatabaseConnectionError: If connecting to a database fails.
    :raises ConfigurationError: If an ``AsyncEngine`` is used without asyncio.
    """
    if are_async(engines):
        if not loop_is_running():
            raise ConfigurationError(
                "An AsyncEngine needs asyncio, but another event loop is running, such"
                " as that of trio. Create the engine with 'create_engine', or run the"
                " app on asyncio."
            )

        from .greenlets import run_in_greenlet

        return await run_in_greenlet(engines, work, own_connections)

    engines = t.cast("dict[str, sa.Engine]", engines)

    if any(is_single_connection(engine) for engine in engines.values()):
        # The connection is bound to this thread, and does not wait for a network.
        return run_directly(engines, work, own_connections)

    from .threads import run_in_thread

    return await run_in_thread(engines, work, own_connections)


def run_blocking(engines: Engines, work: Work[T], own_connections: bool = False) -> T:
    """Run work, blocking.

    :param engines: The engine of each database, by its name; all of one kind.
    :param work: A function that takes the open databases.
    :param own_connections: See :func:`run_awaited`.
    :return: The result of ``work``.
    :raises DatabaseConnectionError: If connecting to a database fails.
    """
    if are_async(engines):
        from .greenlets import run_in_own_loop

        return run_in_own_loop(engines, work)

    engines = t.cast("dict[str, sa.Engine]", engines)
    return run_directly(engines, work, own_connections)


def run_interruptibly(
    engines: Engines, work: Work[T], own_connections: bool = False
) -> T:
    """Run work like :func:`run_blocking`, but stop at once on Ctrl-C or SIGTERM, even
    during a statement whose driver ignores signals.

    :raises Interrupted: After a signal, once the work is rolled back.
    """
    if loop_is_running():
        return run_blocking(engines, work, own_connections)

    from .signals import run_until_signal

    if are_async(engines):
        from .greenlets import run_in_new_loop

        return run_until_signal(run_in_new_loop(engines, work))

    engines = t.cast("dict[str, sa.Engine]", engines)

    if any(is_single_connection(engine) for engine in engines.values()):
        return run_directly(engines, work, own_connections)

    from .threads import run_in_thread

    return run_until_signal(run_in_thread(engines, work, own_connections))
