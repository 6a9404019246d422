"""Errors while another process migrates."""

from __future__ import annotations

import typing as t

from .base import AsyncAlembicError

if t.TYPE_CHECKING:
    import collections.abc as c

    from ..results import LockHolder


class LockTimeout(AsyncAlembicError, TimeoutError):
    """Another migration did not finish within ``ALEMBIC_LOCK_TIMEOUT``.

    :ivar database: The name of the engine, such as ``"default"``.
    :ivar timeout: The timeout, in seconds.
    :ivar holder: The session that holds the lock, if known.
    """

    def __init__(
        self, database: str, timeout: float, holder: LockHolder | None
    ) -> None:
        self.database = database
        self.timeout = timeout
        self.holder = holder

        if holder is not None and holder.is_idle:
            way_out = (
                "It is idle, so it does not migrate; a pooler may have kept it for a"
                f" client that is gone. End session {holder.pid} on the server."
            )
        else:
            way_out = (
                "Wait until that session finishes, or end it if it hangs;"
                " app.config['ALEMBIC_LOCK_TIMEOUT'] sets the timeout."
            )

        super().__init__(
            f"Database '{database}' could not be locked within {timeout:g} s, because"
            f" another session holds the lock: {holder or 'unknown'}. {way_out}"
        )


class LockLostError(AsyncAlembicError):
    """The migration lock was lost, so the migration stopped before the next revision.

    :ivar database: The name of the engine, such as ``"default"``.
    """

    def __init__(self, database: str, advice: str) -> None:
        super().__init__(
            f"The migration lock of database '{database}' was lost, so no further"
            f" revision was applied. {advice}, and run the command again."
        )
        self.database = database


class LockUnavailableError(AsyncAlembicError):
    """The migration lock of a database cannot be acquired."""

    def __init__(self, reason: str, advice: str | None = None) -> None:
        otherwise = f"{advice}, or set" if advice else "Set"
        super().__init__(
            f"The migration lock cannot be acquired: {reason}. {otherwise}"
            " app.config['ALEMBIC_LOCK'] to False and migrate from a single process."
        )


class WaitTimeoutError(AsyncAlembicError, TimeoutError):
    """The databases did not become current in time.

    :ivar timeout: The timeout, in seconds.
    :ivar states: The state of every database that is not current, by its name;
        ``"locked"`` or ``"unreachable"`` if the state could not be read.
    """

    def __init__(
        self, timeout: float, states: c.Mapping[str, str], reason: str | None = None
    ) -> None:
        """
        :param reason: Why one of them is unreachable.
        """
        self.timeout = timeout
        self.states: dict[str, str] = dict(states)
        listed = ", ".join(f"'{name}' is {state}" for name, state in states.items())
        super().__init__(
            f"The databases did not become current within {timeout:g} s: {listed}"
            f"{f' ({reason})' if reason else ''}."
            " Check whether the process that migrates them is running."
        )
