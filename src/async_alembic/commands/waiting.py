"""Waiting until another process has migrated the databases."""

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

    :param statuses: The status of each database by its name.
    :raises UnknownRevisionInDatabaseError: If it does not.
    """
    for name, status in statuses.items():
        if status.unknown:
            raise UnknownRevisionInDatabaseError(name, status.unknown)


class Waiting:
    """How long to wait until the databases are current.

    :param timeout: The longest time to wait, in seconds.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._started = time.monotonic()
        self._delay = 0.05

    def next_delay(self, found: c.Mapping[str, DatabaseStatus | None]) -> float | None:
        """How many seconds to sleep before the next look: from 0.05, doubled each
        time, up to 1.

        :param found: What the last look has found; ``None`` for a database that could
            not be looked at.
        :return: ``None`` if every database is current.
        :raises WaitTimeoutError: If the time is over.
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
