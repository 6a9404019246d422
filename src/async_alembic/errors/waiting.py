"""What goes wrong while others migrate."""

from __future__ import annotations

import typing as t

from .base import AsyncAlembicError

if t.TYPE_CHECKING:
    import collections.abc as c

    from ..results import LockHolder


class LockTimeout(AsyncAlembicError, TimeoutError):
    """Another migrator did not end within ``ALEMBIC_LOCK_TIMEOUT``.

    :ivar database: The name of the engine, such as ``"default"``.
    :ivar timeout: How long was waited, in seconds.
    :ivar holder: Who has the lock, if that is known.
    """

    def __init__(
        self, database: str, timeout: float, holder: LockHolder | None
    ) -> None:
        self.database = database
        self.timeout = timeout
        self.holder = holder
        super().__init__(
            f"Database '{database}' was not free to be migrated within {timeout:g}"
            f" seconds, as another session is at it: {holder or 'unknown'}. Wait until"
            " it is done, or end it if it hangs; app.config['ALEMBIC_LOCK_TIMEOUT'] is"
            " how long to wait."
        )


class LockLostError(AsyncAlembicError):
    """The lock that keeps other migrators out was lost, so the migration was stopped
    before its next revision.

    :ivar database: The name of the engine, such as ``"default"``.
    """

    def __init__(self, database: str) -> None:
        super().__init__(
            f"The lock that keeps other migrators out of database '{database}' was lost"
            " while it was migrated, so no further revision was applied. See whether"
            " its connection was ended by the server, or goes through a pooler in"
            " transaction mode, and run the command again."
        )
        self.database = database


class LockUnavailableError(AsyncAlembicError):
    """The lock that keeps other migrators out of a database cannot be had there."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The lock that keeps other migrators out cannot be had: {reason}. Set"
            " app.config['ALEMBIC_LOCK'] to False, and let a single process migrate."
        )


class WaitTimeoutError(AsyncAlembicError, TimeoutError):
    """The databases did not become current in time.

    :ivar timeout: How long was waited, in seconds.
    :ivar states: The state of every database that is not current, by its name;
        ``"locked"`` where it could not be read.
    """

    def __init__(self, timeout: float, states: c.Mapping[str, str]) -> None:
        self.timeout = timeout
        self.states: dict[str, str] = dict(states)
        listed = ", ".join(f"'{name}' is {state}" for name, state in states.items())
        super().__init__(
            f"The databases were not current within {timeout:g} seconds: {listed}. See"
            " whether the process that migrates them is running."
        )
