"""Run work in the caller's thread, blocking."""

from __future__ import annotations

import collections.abc as c
import contextlib
import time
import typing as t

import sqlalchemy as sa

from ..apps.engines import is_single_connection
from ..apps.engines import needs_own_pool
from ..apps.engines import own_arguments
from ..apps.engines import prepare_connection
from ..apps.engines import replace_connections
from ..apps.engines import resolve_option_engine
from ..apps.engines import with_own_pool
from ..apps.engines import wrap_connection_errors
from ..migration.open_databases import OpenDatabases
from .background import can_idle_out
from .background import KEEPALIVE_INTERVAL
from .background import ping
from .background import repeated_in_thread
from .cancelling import release_cursors
from .out_of_band import out_of_band_connector
from .time_limit import call_later_in_thread
from .time_limit import TimeLimit

T = t.TypeVar("T")
Work: t.TypeAlias = c.Callable[[OpenDatabases], T]
#: Awaits what a receiver of a signal returned.
WaitFor: t.TypeAlias = c.Callable[[c.Awaitable[object]], object]


def _await_in_own_loop(awaitable: c.Awaitable[object]) -> None:
    # asyncio is imported for receivers that need it only.
    from .receivers import await_in_own_loop

    await_in_own_loop(awaitable)


def run_directly(
    engines: dict[str, sa.Engine],
    work: Work[T],
    own_connections: bool,
    sleep: c.Callable[[float], None] = time.sleep,
    time_limit: TimeLimit | None = None,
    wait_for: WaitFor = _await_in_own_loop,
) -> T:
    time_limit = time_limit or TimeLimit(call_later_in_thread)

    with contextlib.ExitStack() as stack, release_cursors():
        stack.callback(time_limit.stop)
        databases = open_databases(
            engines, stack, own_connections, sleep, time_limit, wait_for
        )

        try:
            return work(databases)
        except BaseException:
            # Nothing is left to do but to roll back.
            time_limit.start()
            raise


def open_databases(
    engines: dict[str, sa.Engine],
    stack: contextlib.ExitStack,
    own_connections: bool = False,
    sleep: c.Callable[[float], None] = time.sleep,
    time_limit: TimeLimit | None = None,
    wait_for: WaitFor = _await_in_own_loop,
) -> OpenDatabases:
    """Connect to each database, blocking.

    :param engines: The engine of each database, by its name.
    :param stack: The stack that closes the connections.
    :param own_connections: Whether to leave the engines' pools alone.
    :param sleep: See :class:`.OpenDatabases`.
    :param time_limit: Drops the connections if they cannot be closed in time.
    :param wait_for: See :class:`.OpenDatabases`.
    :raises DatabaseConnectionError: If connecting to a database fails.
    """
    time_limit = time_limit or TimeLimit(call_later_in_thread)
    connections = {}

    for name, engine in engines.items():
        if own_connections and needs_own_pool(engine):
            engine = with_own_pool(engine)
            stack.callback(engine.dispose)

        base, options = resolve_option_engine(engine)

        with (
            wrap_connection_errors(name, engine.url),
            own_arguments(engine, own_connections),
        ):
            connection = stack.enter_context(base.connect())
            prepare_connection(connection)
            connections[name] = connection.execution_options(**options)
            time_limit.add(connection)

    connect = out_of_band_connector(engines, time_limit)

    @contextlib.contextmanager
    def kept_alive(names: c.Iterable[str]) -> c.Iterator[None]:
        idle = [connections[n] for n in names if can_idle_out(connections[n])]

        def ping_all() -> None:
            for connection in idle:
                ping(connection)

        if idle:
            with repeated_in_thread(ping_all, KEEPALIVE_INTERVAL):
                yield
        else:
            yield

    def repeated(
        name: str, fn: c.Callable[[sa.Connection], None], interval: float
    ) -> contextlib.AbstractContextManager[None]:
        def call() -> None:
            with connect(name) as connection:
                fn(connection)

        return repeated_in_thread(call, interval)

    return OpenDatabases(
        connections,
        offload=_call_directly,
        sleep=sleep,
        pause=_no_pause,
        wait_for=wait_for,
        connect=connect,
        kept_alive=kept_alive,
        repeated=repeated,
        on_change=lambda names: replace_connections([engines[n] for n in names]),
        private=[n for n, engine in engines.items() if is_single_connection(engine)],
        time_limit=time_limit,
    )


def _call_directly(fn: c.Callable[[], T]) -> T:
    return fn()


def _no_pause() -> None:
    """Do nothing: no other task runs in this thread."""
