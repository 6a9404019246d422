"""Waits until another process has migrated the databases."""

from __future__ import annotations

import collections.abc as c
import time
import typing as t

from ..errors import UnknownRevisionInDatabaseError
from ..errors import WaitTimeoutError

if t.TYPE_CHECKING:
    from ..results import DatabaseStatus


def check_known(statuses: c.Mapping[str, DatabaseStatus]) -> None:
    """Check that the code has every revision that a database is at.

    :param statuses: The status of each database, by name.
    :raises UnknownRevisionInDatabaseError: If one is missing.
    """
    for name, status in statuses.items():
        if status.unknown:
            raise UnknownRevisionInDatabaseError(name, status.unknown)


class Waiting:
    """Computes delays while waiting for the databases to become current.

    :param timeout: How long to wait, in seconds; ``None`` for no limit.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._started = time.monotonic()
        self._delay = 0.05

    def next_delay(self, found: c.Mapping[str, DatabaseStatus | None]) -> float | None:
        """Return how long to sleep before the next check, in seconds: 0.05, doubled
        each time, up to 1.

        :param found: The statuses from the last check; ``None`` for a database that
            could not be read.
        :return: ``None`` if every database is current.
        :raises WaitTimeoutError: If the timeout expires.
        :raises UnknownRevisionInDatabaseError: If waiting cannot help.
        """
        check_known({name: status for name, status in found.items() if status})
        states = {
            name: status.state if status else "locked" for name, status in found.items()
        }
        late = {name: state for name, state in states.items() if state != "current"}

        if not late:
            return None

        delay = self._delay
        self._delay = min(delay * 2, 1)

        if self._timeout is None:
            return delay

        left = self._started + self._timeout - time.monotonic()

        if left <= 0:
            raise WaitTimeoutError(self._timeout, late)

        return min(delay, left)
