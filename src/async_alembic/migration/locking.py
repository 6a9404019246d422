"""One migrator at a time: waiting for the lock of a database, and keeping it.

Knows no database; what is a lock is up to its dialect.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import itertools
import logging
import random
import time
import typing as t

from ..dialects import dialect_of
from ..dialects import digest
from ..dialects import is_usable
from ..errors import LockLostError
from ..errors import LockTimeout

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..dialects import SessionLock
    from ..results import LockHolder
    from .environment import Environment
    from .open_databases import OpenDatabases

log: logging.Logger = logging.getLogger("async_alembic")

#: The shortest and the longest delay between two attempts, in seconds.
MIN_DELAY = 0.005
MAX_DELAY = 1.0
#: When to say for the first time that there is somebody to wait for, and how long to
#: keep quiet then, in seconds.
FIRST_WARNING = 2.0
WARNING_INTERVAL = 30.0
#: How long to rely on the lock within a transaction, in seconds.
CHECK_INTERVAL = 1.0


def backoff(shortest: float = MIN_DELAY) -> c.Iterator[float]:
    """Delays in seconds: each up to twice as long as the one before, but none longer
    than :data:`MAX_DELAY`, and all of them random, so that those who wait for the
    same do not come back at the same moment.
    """
    for exponent in itertools.count():
        longest = min(shortest * 2 ** min(exponent, 32), MAX_DELAY)
        yield random.uniform(longest / 2, longest)


class LockWaiter:
    """Waiting for one database.

    :param database: Its name.
    :param timeout: How long to wait at the most, in seconds.
    :param sleep: Waits for some seconds.
    """

    def __init__(
        self, database: str, timeout: float, sleep: c.Callable[[float], None]
    ) -> None:
        self._database = database
        self._timeout = timeout
        self._sleep = sleep

    def wait(
        self,
        acquire: c.Callable[[], bool],
        holder: c.Callable[[], LockHolder | None],
    ) -> None:
        """Wait until it is this migrator's turn.

        :param acquire: Tries to acquire the lock.
        :param holder: Tells who has it.
        :raises LockTimeout: If the time is over.
        """
        started = time.monotonic()
        next_warning = FIRST_WARNING

        for delay in backoff():
            if acquire():
                return

            waited = time.monotonic() - started

            if waited >= self._timeout:
                raise LockTimeout(self._database, self._timeout, holder())

            if waited >= next_warning:
                next_warning = waited + WARNING_INTERVAL
                log.warning(
                    "Waiting since %.0f s for database '%s', which another session is"
                    " migrating: %s.",
                    waited,
                    self._database,
                    holder() or "unknown",
                )

            self._sleep(min(delay, self._timeout - waited))


class MigrationLock:
    """The lock of one database while it is migrated.

    It is held by two sessions. One does nothing else, so that others see by it since
    when it is held, and so that it is free at once when this process has died. The
    other one is that which migrates: what a process has left running on the server
    when it died is waited for as well.

    :param database: The name of the database.
    :param connection: The connection that is migrated.
    """

    def __init__(self, database: str, connection: sa.Connection) -> None:
        self._database = database
        self._connection = connection
        self._dialect = dialect_of(connection)
        self._lock: SessionLock | None = None
        self._checked_at = 0.0

    @contextlib.contextmanager
    def acquired(
        self,
        key: str,
        waiter: LockWaiter,
        connect: c.Callable[[str], contextlib.AbstractContextManager[sa.Connection]],
    ) -> c.Iterator[None]:
        """Wait for the lock, and release it at the end.

        :param key: Which lock it is.
        :param waiter: How to wait.
        :param connect: Opens one more connection to the database of a name.
        :raises LockTimeout: If it does not become free in time.
        """
        with connect(self._database) as idle:
            # What is idle in a transaction can hang the statements of others.
            idle.execution_options(isolation_level="AUTOCOMMIT")
            self._lock = lock = self._dialect.session_lock(idle, key)
            lock.prepare(self._connection)
            self._connection.rollback()
            waiter.wait(lock.acquire, lock.holder)

            try:
                with self._acquired_by_migrating_session(digest(key), waiter):
                    self._checked_at = time.monotonic()
                    yield
            finally:
                self._release(lock)

    def check(self, *, throttled: bool) -> None:
        """Check that the lock is held.

        :param throttled: Rely on it if it was checked within :data:`CHECK_INTERVAL`.
        :raises LockLostError: If it is not held.
        """
        if throttled and time.monotonic() - self._checked_at < CHECK_INTERVAL:
            return

        if self._lock is None or not self._lock.is_held(self._connection):
            raise LockLostError(self._database)

        self._checked_at = time.monotonic()

    @contextlib.contextmanager
    def _acquired_by_migrating_session(
        self, key: str, waiter: LockWaiter
    ) -> c.Iterator[None]:
        connection = self._connection
        lock = self._dialect.session_lock(connection, key)

        def acquire() -> bool:
            acquired = lock.acquire()
            # It stays taken.
            connection.rollback()
            return acquired

        try:
            waiter.wait(acquire, lock.holder)
        except BaseException:
            # It may be acquired all the same.
            lock.end_session()
            raise

        try:
            yield
        finally:
            if is_usable(connection):
                try:
                    connection.rollback()
                    self._release(lock)
                    connection.rollback()
                except BaseException:
                    # Whoever gets it next must not hold the lock.
                    connection.invalidate()
                    raise

    def _release(self, lock: SessionLock) -> None:
        try:
            was_held = lock.release()
        except Exception:
            # It ends with its session. Not every error of a lost connection is
            # SQLAlchemy's.
            lock.end_session()
            was_held = False

        if not was_held:
            log.warning(
                "The lock that keeps other migrators out of database '%s' was lost"
                " before it was released. See whether its connection was ended by the"
                " server, or goes through a pooler in transaction mode.",
                self._database,
            )


class Locks:
    """The locks of all databases that are migrated.

    :param databases: The open databases.
    :param timeout: How long to wait for another migrator, in seconds.
    """

    def __init__(self, databases: OpenDatabases, timeout: float) -> None:
        self._databases = databases
        self._timeout = timeout
        self._held: dict[str, MigrationLock] = {}

    def waiter(self, name: str) -> LockWaiter:
        """How to wait for a database."""
        return LockWaiter(name, self._timeout, self._databases.sleep)

    @contextlib.contextmanager
    def acquired(self, keys: c.Mapping[str, str]) -> c.Iterator[None]:
        """Wait for the locks of databases, and release them at the end.

        :param keys: Which lock it is, by the name of the database.
        :raises LockTimeout: If one does not become free in time.
        """
        with contextlib.ExitStack() as stack:
            # In an order that is the same for all, so that no two wait for each other.
            for name, key in sorted(keys.items(), key=lambda item: (item[1], item[0])):
                lock = MigrationLock(name, self._databases.connections[name])
                stack.enter_context(
                    lock.acquired(key, self.waiter(name), self._databases.connect)
                )
                self._held[name] = lock
                stack.callback(self._held.pop, name)

            yield

    def check(self, name: str, *, throttled: bool = False) -> None:
        """Check that the lock of a database is held, if there is one.

        :param name: The name of the database.
        :param throttled: See :meth:`MigrationLock.check`.
        :raises LockLostError: If it is not.
        """
        if name in self._held:
            self._held[name].check(throttled=throttled)


@contextlib.contextmanager
def locked(env: Environment, names: c.Collection[str]) -> c.Iterator[Locks]:
    """Keep other migrators out of databases, unless ``ALEMBIC_LOCK`` is off.

    :param env: The open databases.
    :param names: The names of the databases.
    :raises LockTimeout: If another migrator does not end in time.
    :raises LockUnavailableError: If a database refuses the lock.
    """
    settings = env.project.settings
    locks = Locks(env.databases, settings.lock_timeout)

    with locks.acquired(_lock_keys(env, names) if settings.lock else {}):
        yield locks


def _lock_keys(env: Environment, names: c.Iterable[str]) -> dict[str, str]:
    keys = {}

    for name in names:
        connection = env.connection(name)
        key = env.dialect(name).lock_key(
            connection, env.version_schema(name), env.contexts[name].version_table
        )
        # What waits must not be idle in a transaction.
        connection.rollback()

        if key is not None:
            keys[name] = key

    return keys
