"""Waits until another process has migrated the databases."""

from __future__ import annotations

import collections.abc as c
import logging
import time
import typing as t

from ..dialects.refused_logins import is_login_refused
from ..errors import DatabaseConnectionError
from ..errors import UnknownRevisionInDatabaseError
from ..errors import WaitTimeoutError

if t.TYPE_CHECKING:
    from ..results import State

log: logging.Logger = logging.getLogger("async_alembic")

#: How long to wait between two warnings that a database is unreachable, in seconds.
WARNING_INTERVAL = 30.0


class Position(t.NamedTuple):
    """Where a database is in the history.

    :param state: See :class:`.DatabaseStatus`.
    :param current: The ids of the database's current revisions.
    :param unknown: The ids in ``current`` that this code does not have.
    :param is_complete: Whether no revision is pending.
    :param empty_folder: The script directory, if it has no revisions.
    """

    state: State
    current: tuple[str, ...]
    unknown: tuple[str, ...]
    is_complete: bool
    empty_folder: str | None = None


#: Where a database is, or why it could not be read.
Found: t.TypeAlias = Position | t.Literal["locked", "unreachable"]


def check_known(positions: c.Mapping[str, Position]) -> None:
    """Check that the code has every revision that a database is at.

    :param positions: Where each database is, by name.
    :raises UnknownRevisionInDatabaseError: If a revision is missing.
    """
    for name, position in positions.items():
        if position.unknown:
            raise UnknownRevisionInDatabaseError(
                name, position.unknown, position.empty_folder
            )


class Waiting:
    """Computes delays while waiting for the databases to become current.

    :param timeout: How long to wait, in seconds; ``None`` for no limit.
    :param allow_ahead: Whether newer code may have migrated a database further.
    """

    def __init__(self, timeout: float | None, allow_ahead: bool = False) -> None:
        self._timeout = timeout
        self._wanted: set[str] = {"current", "ahead"} if allow_ahead else {"current"}
        self._started = time.monotonic()
        self._delay = 0.05
        self._next_warning = 0.0
        #: The names of the databases that had no revision at the last check.
        self.empty: frozenset[str] = frozenset()

    def next_delay(self, found: c.Mapping[str, Found]) -> float | None:
        """Return how long to sleep before the next check, in seconds: 0.05, doubled
        each time, up to 1.

        :param found: What the last check found, by the name of the database.
        :return: ``None`` if every database is where it is wanted.
        :raises WaitTimeoutError: If the timeout expires.
        :raises UnknownRevisionInDatabaseError: If waiting cannot help.
        """
        states: dict[str, str] = {}

        for name, position in found.items():
            if isinstance(position, Position):
                if position.state not in self._wanted:
                    check_known({name: position})

                states[name] = position.state
            else:
                states[name] = position

        self.empty = frozenset(n for n, state in states.items() if state == "empty")
        late = {name: s for name, s in states.items() if s not in self._wanted}
        return self._next_delay(late) if late else None

    def delay_after(self, error: DatabaseConnectionError) -> float:
        """Return how long to sleep after connecting has failed, in seconds. A server
        may be down for a while.

        :param error: The error.
        :raises DatabaseConnectionError: The error, if the server refuses the login.
        :raises WaitTimeoutError: If the timeout expires.
        """
        if is_login_refused(error):
            raise error

        now = time.monotonic()

        if now >= self._next_warning:
            self._next_warning = now + WARNING_INTERVAL
            log.warning("%s Trying again.", error)

        return self._next_delay({error.database: "unreachable"}, error.reason)

    def _next_delay(
        self, late: c.Mapping[str, str], reason: str | None = None
    ) -> float:
        delay = self._delay
        self._delay = min(delay * 2, 1)

        if self._timeout is None:
            return delay

        left = self._started + self._timeout - time.monotonic()

        if left <= 0:
            raise WaitTimeoutError(self._timeout, late, reason)

        return min(delay, left)
