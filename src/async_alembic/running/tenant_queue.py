"""The order in which tenants are worked on. A tenant that is locked, or that no
connection can be made to, is tried again later.
"""

from __future__ import annotations

import collections
import heapq
import logging
import random
import time
import typing as t

from ..dialects.refused_logins import is_login_refused
from ..errors import DatabaseConnectionError
from ..errors import LockTimeout

if t.TYPE_CHECKING:
    import collections.abc as c

log: logging.Logger = logging.getLogger("async_alembic")

#: The shortest and the longest delay before a tenant is tried again, in seconds.
_MIN_DELAY = 0.05
_MAX_DELAY = 1.0


class TenantQueue:
    """The tenants that are not done yet.

    :param names: Their names.
    :param limit: How many may be at work at once.
    :param lock_timeout: How long to come back to a tenant that is locked, in seconds.
    :param connect_timeout: How long to come back to tenants while no connection can be
        made to any, in seconds.
    :ivar limit: How many may be at work now. Where a server admits no further
        connections, there are fewer.
    """

    def __init__(
        self,
        names: c.Iterable[str],
        limit: int,
        lock_timeout: float,
        connect_timeout: float,
    ) -> None:
        # Other machines should not come to the same tenants at the same time.
        shuffled = [*names]
        random.shuffle(shuffled)
        self._ready = collections.deque(shuffled)
        self._waiting: list[tuple[float, str]] = []
        self._attempts: collections.Counter[str] = collections.Counter()
        self._locked_since: dict[str, float] = {}
        self._connected_at = time.monotonic()
        self._lock_timeout = lock_timeout
        self._connect_timeout = connect_timeout
        self._wanted = limit
        self.limit: int = limit

    @property
    def is_empty(self) -> bool:
        """Whether no tenant is left that is not at work."""
        return not self._ready and not self._waiting

    def next(self) -> str | None:
        """Return the tenant to begin with, if there is one now."""
        if self._waiting and self._waiting[0][0] <= time.monotonic():
            return heapq.heappop(self._waiting)[1]

        return self._ready.popleft() if self._ready else None

    def delay(self) -> float | None:
        """Return after how many seconds a tenant is to be tried again, if any is."""
        if not self._waiting:
            return None

        return max(self._waiting[0][0] - time.monotonic(), 0)

    def clear(self) -> None:
        """Begin with no further tenant."""
        self._ready.clear()
        self._waiting.clear()

    def comes_back(self, name: str, error: Exception | None, at_work: int) -> bool:
        """Return whether a tenant is to be tried again, after it was tried.

        :param error: Why it failed, if it did.
        :param at_work: How many others are at work.
        """
        now = time.monotonic()

        if isinstance(error, DatabaseConnectionError):
            self.limit = max(1, min(self.limit, at_work))
            # Others may get on, so it is not this tenant's time that counts.
            since, timeout = self._connected_at, self._connect_timeout
            comes_back = not is_login_refused(error)
        else:
            self._connected_at = now
            self.limit = min(self.limit + 1, self._wanted)
            since = self._locked_since.setdefault(name, now)
            timeout = self._lock_timeout
            comes_back = isinstance(error, LockTimeout)

        if not comes_back or now - since >= timeout:
            self._locked_since.pop(name, None)
            self._attempts.pop(name, None)
            return False

        if isinstance(error, DatabaseConnectionError) and not self._attempts[name]:
            log.warning("%s Trying again.", error)

        self._attempts[name] += 1
        longest = min(_MIN_DELAY * 2 ** min(self._attempts[name], 32), _MAX_DELAY)
        delay = random.uniform(longest / 2, longest)
        heapq.heappush(self._waiting, (now + delay, name))
        return True
