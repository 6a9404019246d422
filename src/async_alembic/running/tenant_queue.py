"""The order in which tenants are worked on. A tenant that is locked, or that no
connection can be made to, is tried again later.
"""

from __future__ import annotations

import collections
import heapq
import logging
import math
import random
import time
import typing as t

from ..dialects.refused_logins import is_login_refused
from ..errors import DatabaseConnectionError
from ..errors import LockTimeout
from ..errors import MigrationError
from ..migration.locking import backoff

if t.TYPE_CHECKING:
    import collections.abc as c

log: logging.Logger = logging.getLogger("async_alembic")

#: The longest first delay before a tenant or a server is tried again, in seconds.
_FIRST_DELAY = 0.1


class _Server:
    """A server that has tenants.

    :param limit: How many of its tenants may be at work at once.
    :param may_be_down: Whether another attempt to connect may succeed.
    :ivar ready: Its tenants to begin with.
    :ivar locked: Its tenants that are locked, with the times to try them again.
    :ivar at_work: How many of its tenants are at work.
    :ivar limit: How many may be at work now. There are fewer while it admits no further
        connections.
    :ivar answered_at: When it has last admitted a connection.
    :ivar is_given_up: Whether it has admitted none for too long.
    """

    def __init__(self, limit: int, may_be_down: bool) -> None:
        self.may_be_down = may_be_down
        self.ready: collections.deque[str] = collections.deque()
        self.locked: list[tuple[float, str]] = []
        self.at_work = 0
        self.limit = limit
        self.answered_at = time.monotonic()
        self.is_given_up = False
        self._wanted = limit
        self._retry_at = 0.0
        self._delays: c.Iterator[float] | None = None

    def next(self) -> str | None:
        """Return the tenant to begin with, if there is one now."""
        if self.next_at() > time.monotonic():
            return None

        self.at_work += 1
        is_due = bool(self.locked) and self.locked[0][0] <= time.monotonic()
        return heapq.heappop(self.locked)[1] if is_due else self.ready.popleft()

    def next_at(self) -> float:
        """Return when to begin with another tenant, unless one at work ends before."""
        if self.at_work >= self.limit or not (self.ready or self.locked):
            return math.inf

        return max(self._retry_at, 0.0 if self.ready else self.locked[0][0])

    def take_all(self) -> list[str]:
        """Return all tenants that are not at work. None is left to begin with."""
        names = [*self.ready, *(name for _, name in self.locked)]
        self.ready.clear()
        self.locked.clear()
        return names

    def has_answered(self) -> None:
        """Count on further connections."""
        self.answered_at = time.monotonic()
        self.is_given_up = False
        self.limit = min(self.limit + 1, self._wanted)
        self._retry_at = 0.0
        self._delays = None

    def has_refused(self) -> None:
        """Count on as many connections as there are."""
        self.limit = max(1, min(self.limit, self.at_work))

    def try_again(self, name: str, error: Exception) -> None:
        """Try to connect again later, with any of the tenants.

        :param name: The tenant that has failed.
        """
        if self._delays is None:
            log.warning("%s Trying again.", error)
            self._delays = backoff(_FIRST_DELAY)

        self._retry_at = time.monotonic() + next(self._delays)
        self.ready.append(name)


class TenantQueue:
    """The tenants that are not done yet. Those whose server does not answer leave their
    turns to those of other servers.

    :param names: Their names.
    :param server: Returns what tells the server of a tenant from others; ``None`` if it
        has none, and nothing is to be waited for.
    :param limit: How many may be at work at once.
    :param lock_timeout: How long to come back to a tenant that is locked, in seconds.
    :param connect_timeout: How long to come back to the tenants of a server while no
        connection can be made to any of them, in seconds.
    """

    def __init__(
        self,
        names: c.Iterable[str],
        server: c.Callable[[str], object],
        limit: int,
        lock_timeout: float,
        connect_timeout: float,
    ) -> None:
        # Other machines should not come to the same tenants at the same time.
        shuffled = [*names]
        random.shuffle(shuffled)
        self._limit = limit
        self._lock_timeout = lock_timeout
        self._connect_timeout = connect_timeout
        self._delays: dict[str, c.Iterator[float]] = {}
        self._locked_since: dict[str, float] = {}
        #: Those that were at work when their connection was lost, and are tried again.
        self._repeated: set[str] = set()
        self._server_of: dict[str, _Server] = {}
        servers: dict[object, _Server] = {}

        for name in shuffled:
            found = server(name)
            servers.setdefault(found, _Server(limit, found is not None)).ready += [name]
            self._server_of[name] = servers[found]

        #: Those that have had no turn for the longest time come first.
        self._servers = collections.deque(servers.values())

    @property
    def is_empty(self) -> bool:
        """Whether no tenant is left that is not at work."""
        return not any(server.ready or server.locked for server in self._servers)

    def has_ready(self) -> bool:
        """Return whether a tenant is left to begin with that was not locked."""
        return any(server.ready for server in self._servers)

    def next(self) -> str | None:
        """Return the tenant to begin with, if there is one now."""
        for server in [*self._servers]:
            if (name := server.next()) is not None:
                self._servers.remove(server)
                self._servers.append(server)
                return name

        return None

    def delay(self) -> float | None:
        """Return after how many seconds there is a tenant to begin with; ``None`` if
        one that is at work must end before.
        """
        at = min((server.next_at() for server in self._servers), default=math.inf)
        return None if at == math.inf else max(at - time.monotonic(), 0)

    def clear(self) -> None:
        """Begin with no further tenant."""
        for server in self._servers:
            server.take_all()

    def given_up_with(self, name: str) -> list[str]:
        """Return the tenants that are not tried any more after the failure of another
        one, whose server they share.
        """
        server = self._server_of[name]
        return server.take_all() if server.is_given_up else []

    def comes_back(self, name: str, error: Exception | None) -> bool:
        """Return whether a tenant is to be tried again, after it was tried.

        :param error: Why it failed, if it did.
        """
        server = self._server_of[name]
        server.at_work -= 1

        if (
            server.may_be_down
            and isinstance(error, DatabaseConnectionError)
            and not is_login_refused(error)
        ):
            return self._waits_for_server(server, name, error)

        # Once, as the revision itself may bring the server down.
        if _is_lost(error) and name not in self._repeated:
            self._repeated.add(name)
            # From now on, it may be down.
            server.answered_at = time.monotonic()
            server.try_again(name, error)
            return True

        server.has_answered()
        return isinstance(error, LockTimeout) and self._waits_for_lock(server, name)

    def _waits_for_server(self, server: _Server, name: str, error: Exception) -> bool:
        server.has_refused()

        # Others may get on, so it is not this tenant's time that counts.
        if time.monotonic() - server.answered_at >= self._connect_timeout:
            server.is_given_up = True
            return False

        server.try_again(name, error)
        return True

    def _waits_for_lock(self, server: _Server, name: str) -> bool:
        now = time.monotonic()

        if now - self._locked_since.setdefault(name, now) >= self._lock_timeout:
            return False

        delays = self._delays.setdefault(name, backoff(_FIRST_DELAY))
        heapq.heappush(server.locked, (now + next(delays), name))
        return True


def _is_lost(error: Exception | None) -> t.TypeGuard[MigrationError]:
    """Return whether a lost connection has undone the whole migration."""
    return (
        isinstance(error, MigrationError)
        and error.connection_lost
        and error.outcome is not None
        and error.outcome.is_undone
    )
