"""Locks that belong to a session of the server, and their holders."""

from __future__ import annotations

import abc
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..results import LockHolder
from .migrated import is_usable


class SessionLock(abc.ABC):
    """A lock that a session of the server holds until it releases the lock, or ends.

    :param connection: The connection of the session.
    :param key: The key of the lock.
    """

    #: Tries to acquire the lock without waiting. Returns whether it did, and the id of
    #: the session on the server.
    acquire_statement: t.ClassVar[sa.TextClause]
    #: Releases the lock. Returns whether the session held it until now.
    release_statement: t.ClassVar[sa.TextClause]
    #: Returns the ids of the sessions that hold the lock.
    holder_ids_statement: t.ClassVar[sa.TextClause]
    #: Returns the fields of a :class:`.LockHolder`.
    holder_statement: t.ClassVar[sa.TextClause]

    def __init__(self, connection: sa.Connection, key: str) -> None:
        self._connection = connection
        self._key = key
        self._session: int | None = None

    @property
    @abc.abstractmethod
    def parameters(self) -> dict[str, t.Any]:
        """The parameters of the statements."""

    @abc.abstractmethod
    def prepare(self, other: sa.Connection) -> None:
        """Check that no pooler shares the session, and keep it from idling out.

        :param other: A connection to the same database.
        :raises LockUnavailableError: If the session cannot hold the lock.
        """

    def acquire(self) -> bool:
        """Try to acquire the lock, without waiting on the server.

        :return: Whether the lock was acquired.
        """
        row = self._connection.execute(self.acquire_statement, self.parameters).one()
        self._session = row[1]
        return bool(row[0])

    def release(self) -> bool:
        """Release the lock.

        :return: Whether the session held it until now.
        """
        return bool(self._connection.scalar(self.release_statement, self.parameters))

    def end_session(self) -> None:
        """End the session, which releases the lock."""
        if is_usable(self._connection):
            self._connection.invalidate()

    def holder(self) -> LockHolder | None:
        """Return the session that holds the lock, if the server shows it."""
        return fetch_holder(self._connection, self.holder_statement, self.parameters)

    def is_held(self, connection: sa.Connection) -> bool:
        """Return whether the server lists the session as the lock's holder.

        :param connection: The connection to query on. The session itself stays idle,
            as its idle time shows others how long it has held the lock.
        """
        found = connection.scalars(self.holder_ids_statement, self.parameters).all()
        return self._session is not None and self._session in found


def fetch_holder(
    connection: sa.Connection, statement: sa.TextClause, parameters: dict[str, t.Any]
) -> LockHolder | None:
    """Query a session of the server.

    :param connection: The connection to query on.
    :param statement: Returns the fields of a :class:`.LockHolder`. Times without a time
        zone are in UTC.
    :param parameters: The parameters of the statement.
    """
    row = connection.execute(statement, parameters).mappings().one_or_none()

    if row is None:
        return None

    since: dt.datetime | None = row["since"]

    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=dt.UTC)

    return LockHolder(**{**row, "since": since})
