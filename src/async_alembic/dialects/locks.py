"""A lock that a session of a server holds, and who has it."""

from __future__ import annotations

import abc
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..results import LockHolder
from .migrated import is_usable


class SessionLock(abc.ABC):
    """A lock that one session of a server holds until it releases it, or ends.

    :param connection: The connection of the session.
    :param key: Which lock it is.
    """

    #: Tries to take the lock, without waiting in the server. Its row tells whether that
    #: was done, and the server's id of the session.
    acquire_statement: t.ClassVar[sa.TextClause]
    #: Releases the lock. Tells whether the session had it until now.
    release_statement: t.ClassVar[sa.TextClause]
    #: Tells the ids of the sessions that have the lock.
    holder_ids_statement: t.ClassVar[sa.TextClause]
    #: Tells the fields of a :class:`.LockHolder`.
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
        """See to it that the session is this migrator's own, and not ended for being
        idle.

        :param other: A connection to the same database.
        :raises LockUnavailableError: If it is not its own.
        """

    def acquire(self) -> bool:
        """Try to take the lock, without waiting in the server.

        :return: Whether it is taken.
        """
        row = self._connection.execute(self.acquire_statement, self.parameters).one()
        self._session = row[1]
        return bool(row[0])

    def release(self) -> bool:
        """Release the lock.

        :return: Whether it was held until now.
        """
        return bool(self._connection.scalar(self.release_statement, self.parameters))

    def end_session(self) -> None:
        """End the session, and with it the lock."""
        if is_usable(self._connection):
            self._connection.invalidate()

    def holder(self) -> LockHolder | None:
        """Who has the lock, as far as the server tells."""
        return fetch_holder(self._connection, self.holder_statement, self.parameters)

    def is_held(self, connection: sa.Connection) -> bool:
        """Whether the server knows the session as the lock's holder.

        :param connection: What to ask on, so that the session stays idle, which is how
            others see since when it has the lock.
        """
        found = connection.scalars(self.holder_ids_statement, self.parameters).all()
        return self._session is not None and self._session in found


def fetch_holder(
    connection: sa.Connection, statement: sa.TextClause, parameters: dict[str, t.Any]
) -> LockHolder | None:
    """Ask for a session of the server.

    :param connection: What to ask on.
    :param statement: Tells the fields of a :class:`.LockHolder`. A time without a zone
        is in UTC.
    :param parameters: Those of the statement.
    """
    row = connection.execute(statement, parameters).mappings().one_or_none()

    if row is None:
        return None

    since: dt.datetime | None = row["since"]

    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=dt.UTC)

    return LockHolder(**{**row, "since": since})
