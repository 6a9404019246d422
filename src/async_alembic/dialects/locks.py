"""The lock of a database against other migrators, and who holds it."""

from __future__ import annotations

import abc
import datetime as dt
import hashlib
import json
import typing as t

import sqlalchemy as sa

from .migrated import is_usable

if t.TYPE_CHECKING:
    from ..results import LockHolder


class MigrationLock(abc.ABC):
    """The lock of a database, which the session that migrates it holds.

    :ivar key: Unique to one version table on the server.
    """

    #: What to check after the lock was lost.
    advice: t.ClassVar[str] = (
        "Check whether a revision releases all locks of its session"
    )
    key: str

    @abc.abstractmethod
    def acquire(self) -> bool:
        """Try to acquire the lock, without waiting on the server.

        :return: Whether the lock was acquired.
        """

    @abc.abstractmethod
    def is_held(self) -> bool:
        """Return whether the session still holds the lock."""

    @abc.abstractmethod
    def release(self) -> None:
        """Release the lock, unless the session has ended, which releases it as well."""

    @abc.abstractmethod
    def holder(self) -> LockHolder | None:
        """Return who holds the lock, if that is known."""


class SessionLock(MigrationLock):
    """A lock that a session of the server holds until it releases the lock, or ends.

    :param connection: The connection of the session. It is outside of a transaction
        when the lock is acquired.
    :param key: The key of the lock.
    """

    #: Tries to acquire the lock without waiting. Returns whether it did.
    acquire_statement: t.ClassVar[sa.TextClause]
    #: Releases the lock.
    release_statement: t.ClassVar[sa.TextClause]
    #: Returns the fields of a :class:`.LockHolder`.
    holder_statement: t.ClassVar[sa.TextClause]

    def __init__(self, connection: sa.Connection, key: str) -> None:
        self.key = key
        self._connection = connection

    @property
    @abc.abstractmethod
    def parameters(self) -> dict[str, t.Any]:
        """The parameters of the statements."""

    def acquire(self) -> bool:
        acquired = self._connection.scalar(self.acquire_statement, self.parameters)
        # The lock survives the rollback. To wait in a transaction would block others.
        self._connection.rollback()
        return bool(acquired)

    def release(self) -> None:
        if is_usable(self._connection):
            self._connection.execute(self.release_statement, self.parameters)
            self._connection.rollback()

    def holder(self) -> LockHolder | None:
        holder = fetch_holder(self._connection, self.holder_statement, self.parameters)
        self._connection.rollback()
        return holder


def fetch_holder(
    connection: sa.Connection, statement: sa.TextClause, parameters: dict[str, t.Any]
) -> LockHolder | None:
    """Query a session of the server.

    :param connection: The connection to query on.
    :param statement: Returns the fields of a :class:`.LockHolder`. Times without a time
        zone are in UTC.
    :param parameters: The parameters of the statement.
    """
    from ..results import LockHolder

    row = connection.execute(statement, parameters).mappings().one_or_none()

    if row is None:
        return None

    since: dt.datetime | None = row["since"]

    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=dt.UTC)

    return LockHolder(**{**row, "since": since})


def digest(*parts: str | None) -> str:
    """Return a hash of the texts and their order, as 16 hexadecimal digits."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()
