"""Work beside a migration: connections that are kept alive, and calls at intervals."""

from __future__ import annotations

import collections.abc as c
import contextlib
import threading

import sqlalchemy as sa

from ..dialects import dialect_of
from .time_limit import CLOSING_TIMEOUT

#: How often to use a connection that is kept alive, in seconds.
KEEPALIVE_INTERVAL = 2.0


def can_idle_out(connection: sa.Connection) -> bool:
    """Return whether a server or a proxy may end a connection that is idle."""
    return dialect_of(connection).interruption(connection).drop is not None


def ping(connection: sa.Connection) -> None:
    """Use a connection, past SQLAlchemy and its listeners."""
    # On failure, the next statement of the migration says what is wrong.
    with contextlib.suppress(Exception):
        with contextlib.closing(connection.connection.cursor()) as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()

        if not connection.in_transaction():
            connection.connection.rollback()


@contextlib.contextmanager
def repeated_in_thread(fn: c.Callable[[], None], interval: float) -> c.Iterator[None]:
    """Call a function at intervals, in a thread of its own, until the end. Whatever it
    raises is ignored, and it is called again.

    :param interval: How long to wait before each call, in seconds.
    """
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(interval):
            # Whoever depends on the calls sees when too many have failed.
            with contextlib.suppress(Exception):
                fn()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()

    try:
        yield
    finally:
        ended.set()
        thread.join(CLOSING_TIMEOUT)
