"""Run work with the connections of engines, for code that cannot await."""

from __future__ import annotations

import collections.abc as c
import concurrent.futures
import contextvars
import typing as t

from ..apps.current import loop_is_running
from ..apps.engines import are_async
from ..apps.names import default_name
from .by_engine import run_blocking

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..apps.engines import Engines

T = t.TypeVar("T")


def run_with_engines(
    engines: Engines, given: t.Any, work: c.Callable[[dict[str, sa.Connection]], T]
) -> T:
    """Run work, blocking.

    :param engines: The engine of each database, by its name; all of one kind.
    :param given: An engine to use instead for the default database, or ``None``.
    :param work: Takes the connection to each database, by its name.
    """
    if given is not None:
        engines = {default_name(engines): given}

    if not are_async(engines) or not loop_is_running():
        return run_blocking(engines, lambda opened: work(opened.connections))

    # A thread has one loop. This one is blocked meanwhile, as by any other driver.
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        run = contextvars.copy_context().run
        return executor.submit(
            run, run_blocking, engines, lambda opened: work(opened.connections)
        ).result()
