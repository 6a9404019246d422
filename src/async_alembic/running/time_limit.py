"""Limit how long the end of a migration may take."""

from __future__ import annotations

import collections.abc as c
import contextlib
import threading
import typing as t

import sqlalchemy as sa

from ..dialects import dialect_of

#: How long rolling back, unlocking and closing may take together, in seconds.
CLOSING_TIMEOUT = 10.0


class Timer(t.Protocol):
    def cancel(self) -> None: ...


class TimeLimit:
    """Drops connections that cannot be closed in time, because nothing answers at their
    other end. Without it, closing them could take a quarter of an hour.

    :param call_later: Calls a function after a number of seconds.
    """

    def __init__(
        self, call_later: c.Callable[[float, c.Callable[[], None]], Timer]
    ) -> None:
        self._call_later = call_later
        self._drops: list[c.Callable[[], object]] = []
        self._timer: Timer | None = None

    def add(self, connection: sa.Connection) -> None:
        """Drop a connection, too, when the time is over."""
        drop = dialect_of(connection).interruption(connection).drop

        if drop is not None:
            self._drops.append(drop)

    def start(self) -> None:
        """Start the timer, unless it runs."""
        if self._drops and self._timer is None:
            self._timer = self._call_later(CLOSING_TIMEOUT, self._drop)

    def stop(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _drop(self) -> None:
        for drop in self._drops:
            # The connection may be closed by now.
            with contextlib.suppress(Exception):
                drop()


class _ThreadTimer(threading.Timer):
    def cancel(self) -> None:
        super().cancel()
        # A thread that is about to end would be seen by a fork.
        self.join()


def call_later_in_thread(seconds: float, fn: c.Callable[[], None]) -> Timer:
    timer = _ThreadTimer(seconds, fn)
    timer.daemon = True
    timer.start()
    return timer
