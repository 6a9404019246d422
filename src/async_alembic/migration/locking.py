"""One migrator at a time: waits for the lock of a database, and holds it.

The dialect defines what the lock is.
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

#: The minimum and the maximum delay between two attempts, in seconds.
MIN_DELAY = 0.005
MAX_DELAY = 1.0
#: How long to wait before the first warning, and between two warnings, in seconds.
FIRST_WARNING = 2.0
WARNING_INTERVAL = 30.0
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

    :param database: The name of the database.
    :param timeout: How long to wait, in seconds.
    :param sleep: Sleeps for a number of seconds.
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
        """Wait until the lock is acquired.

        :param acquire: Tries to acquire the lock, and returns whether it did.
        :param holder: Returns who holds the lock.
        :raises LockTimeout: If the timeout expires.
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
                    "Still waiting after %.0f s for database '%s', which another"
                    " session is migrating: %s.",
                    waited,
                    self._database,
                    holder() or "unknown",
                )

            self._sleep(min(delay, self._timeout - waited))


class MigrationLock:
    """The lock of one database during a migration.

    Two sessions hold it. The first does nothing else, so that it shows others how long
    the lock has been held, and frees the lock at once when this process dies. The
    second is the migrating session itself: others also wait for a statement that a dead
    process has left running on the server.

    :param database: The name of the database.
    :param connection: The migrating connection.
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

        :param key: The key of the lock.
        :param waiter: Waits for the lock.
        :param connect: Opens another connection to a database, by name.
        :raises LockTimeout: If the timeout expires.
        """
        with connect(self._database) as idle:
            # A session that is idle in a transaction can block statements of others.
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
        """Check that the lock is still held.

        :param throttled: Whether to skip the check if the last one was less than
            :data:`CHECK_INTERVAL` ago.
        :raises LockLostError: If the lock was lost.
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
            # A session lock survives the rollback.
            connection.rollback()
            return acquired

        try:
            waiter.wait(acquire, lock.holder)
        except BaseException:
            # The server may have granted the lock before the error.
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
                    # The lock must not go back to the pool with the connection.
                    connection.invalidate()
                    raise

    def _release(self, lock: SessionLock) -> None:
        try:
            was_held = lock.release()
        except Exception:
            # Ending the session releases the lock. Drivers raise their own errors
            # for some lost connections, so SQLAlchemyError is not enough.
            lock.end_session()
            was_held = False

        if not was_held:
            log.warning(
                "The migration lock of database '%s' was lost before it was released."
                " Check whether the server ended the connection, or whether it goes"
                " through a pooler in transaction mode.",
                self._database,
            )


class Locks:
    """The locks of all databases of a migration.

    :param databases: The open databases.
    :param timeout: How long to wait for each lock, in seconds.
    """

    def __init__(self, databases: OpenDatabases, timeout: float) -> None:
        self._databases = databases
        self._timeout = timeout
        self._held: dict[str, MigrationLock] = {}

    def waiter(self, name: str) -> LockWaiter:
        """Return a waiter for the lock of a database."""
        return LockWaiter(name, self._timeout, self._databases.sleep)

    @contextlib.contextmanager
    def acquired(self, keys: c.Mapping[str, str]) -> c.Iterator[None]:
        """Wait for the locks of several databases, and release them at the end.

        :param keys: The key of each lock, by the name of the database.
        :raises LockTimeout: If the timeout expires.
        """
        with contextlib.ExitStack() as stack:
            # All processes use the same order, so that they cannot deadlock.
            for name, key in sorted(keys.items(), key=lambda item: (item[1], item[0])):
                lock = MigrationLock(name, self._databases.connections[name])
                stack.enter_context(
                    lock.acquired(key, self.waiter(name), self._databases.connect)
                )
                self._held[name] = lock
                stack.callback(self._held.pop, name)

            yield

    def check(self, name: str, *, throttled: bool = False) -> None:
        """Check that the lock of a database is still held, if it has one.

        :param name: The name of the database.
        :param throttled: See :meth:`MigrationLock.check`.
        :raises LockLostError: If the lock was lost.
        """
        if name in self._held:
            self._held[name].check(throttled=throttled)


@contextlib.contextmanager
def locked(env: Environment, names: c.Collection[str]) -> c.Iterator[Locks]:
    """Lock databases against other migrators, unless ``ALEMBIC_LOCK`` is off.

    :param env: The open databases.
    :param names: The names of the databases.
    :raises LockTimeout: If another migrator does not finish in time.
    :raises LockUnavailableError: If a database cannot provide the lock.
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
        # A session must not be idle in a transaction while it waits.
        connection.rollback()

        if key is not None:
            keys[name] = key

    return keys
