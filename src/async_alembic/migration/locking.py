"""One migrator at a time: waits for the lock of a database, and holds it.

The dialect defines what the lock is. Where it has none, a lease is used.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import itertools
import random
import time
import typing as t

from ..errors import LockLostError
from ..errors import LockTimeout
from ..signals import migrations_waiting
from .events import send
from .lease import Lease

if t.TYPE_CHECKING:
    from ..dialects import Wait
    from ..dialects.locks import MigrationLock
    from ..results import LockHolder
    from .environment import Environment

#: The minimum and the maximum delay between two attempts, in seconds.
MIN_DELAY = 0.005
MAX_DELAY = 1.0
#: How long to wait before the first signal, and between two signals, in seconds.
FIRST_SIGNAL = 2.0
SIGNAL_INTERVAL = 30.0
#: How long a check of the lock is good for within a transaction, in seconds.
CHECK_INTERVAL = 1.0


def backoff(shortest: float = MIN_DELAY) -> c.Iterator[float]:
    """Yield delays in seconds: exponential, up to :data:`MAX_DELAY`, and random, so
    that processes waiting for the same lock do not retry at the same moment.

    :param shortest: The first delay is between half of it and all of it, in seconds.
    """
    for exponent in itertools.count():
        longest = min(shortest * 2 ** min(exponent, 32), MAX_DELAY)
        yield random.uniform(longest / 2, longest)


class LockWaiter:
    """Waits for the lock of one database.

    :param env: The open databases.
    :param database: The name of the database.
    """

    def __init__(self, env: Environment, database: str) -> None:
        self._env = env
        self._database = database
        self._timeout: float = env.project.settings.lock_timeout

    def wait(
        self,
        acquire: c.Callable[[], bool],
        holder: c.Callable[[], LockHolder | None],
    ) -> None:
        """Wait until the lock is acquired.

        :param acquire: Tries to acquire the lock, and returns whether it did.
        :param holder: Returns who holds the lock.
        :raises LockTimeout: If the timeout expires.
        """
        started = time.monotonic()
        next_signal = FIRST_SIGNAL

        for delay in backoff():
            if acquire():
                return

            waited = time.monotonic() - started

            if waited >= self._timeout:
                raise LockTimeout(self._database, self._timeout, holder())

            if waited >= next_signal:
                next_signal = waited + SIGNAL_INTERVAL
                send(
                    self._env,
                    migrations_waiting,
                    database=self._database,
                    seconds=waited,
                    holder=holder(),
                )

            self._env.databases.sleep(min(delay, self._timeout - waited))


class Locks:
    """The locks of databases against other migrators, as far as ``ALEMBIC_LOCK`` is on.

    :param env: The open databases.
    :param names: The names of the databases to lock.
    """

    def __init__(self, env: Environment, names: c.Iterable[str]) -> None:
        self._env = env
        self._is_on = env.project.settings.lock is not False
        self._checked_at: dict[str, float] = {}
        self._locks: dict[str, MigrationLock] = {}

        for name in names if self._is_on else ():
            self._make(name)

    def in_order(self, names: c.Iterable[str]) -> list[str]:
        """Sort the names of databases by their locks, so that migrators that lock
        several databases do not wait for each other.
        """
        return sorted(
            names, key=lambda name: self._locks[name].key if name in self._locks else ""
        )

    def get(self, name: str) -> MigrationLock | None:
        """Return the lock of a database, if it has one."""
        return self._locks.get(name)

    def wait(self, name: str) -> Wait | None:
        """Return a function that waits for other migrators of a database, if they are
        to be waited for.
        """
        return LockWaiter(self._env, name).wait if self._is_on else None

    @contextlib.contextmanager
    def acquired(self, name: str) -> c.Iterator[None]:
        """Wait for the lock of a database, and release it at the end.

        :raises LockTimeout: If another migrator does not finish in time.
        """
        wait = self.wait(name)

        if name not in self._locks or wait is None:
            yield
            return

        self._acquire(name, wait)

        try:
            while self._env.has_moved(name):
                self._release(name)
                self._make(name)
                self._acquire(name, wait)

            self._env.end_transaction(name)
            self._checked_at[name] = time.monotonic()
            yield
        finally:
            self._release(name)

    def _make(self, name: str) -> None:
        if (lock := _make_lock(self._env, name)) is not None:
            self._locks[name] = lock

        # A session must not be idle in a transaction while it waits.
        self._env.end_transaction(name)

    def _acquire(self, name: str, wait: Wait) -> None:
        lock = self._locks[name]

        try:
            wait(lock.acquire, lock.holder)
        except LockTimeout:
            raise
        except BaseException:
            # The server may have granted the lock before the error.
            self._release(name)
            raise

    def _release(self, name: str) -> None:
        self._env.databases.time_limit.start()

        # The end of the session releases the lock as well. Drivers raise their own
        # errors for some lost connections.
        with contextlib.suppress(Exception):
            self._locks[name].release()

    def check(self, name: str, *, throttled: bool = False) -> None:
        """Check that the lock of a database is still held, if it has one.

        :param name: The name of the database.
        :param throttled: Whether to skip the check if the last one was less than
            :data:`CHECK_INTERVAL` ago.
        :raises LockLostError: If the lock was lost.
        """
        now = time.monotonic()

        if throttled and now - self._checked_at.get(name, 0) < CHECK_INTERVAL:
            return

        if name in self._locks and not (lock := self._locks[name]).is_held():
            raise LockLostError(name, lock.advice)

        self._checked_at[name] = now


def find_holder(env: Environment, name: str) -> LockHolder | None:
    """Return who is migrating a database, if anybody is and that is known."""
    if env.project.settings.lock is False:
        return None

    env.find_place(name)
    dialect = env.dialect(name)

    if dialect.locks_by_transaction:
        return dialect.writer(env.connection(name))

    lock = _make_lock(env, name)
    return None if lock is None else lock.holder()


def _make_lock(env: Environment, name: str) -> MigrationLock | None:
    dialect = env.dialect(name)

    if dialect.locks_by_transaction:
        return None

    if env.project.settings.lock != "lease":
        lock = dialect.lock(
            env.connection(name),
            env.place(name),
            env.version_table,
            functools.partial(env.databases.connect, name),
        )

        if lock is not None:
            return lock

    return None if name in env.databases.private else Lease(env, name)
