"""The transaction of a migration, and how a revision ends it."""

from __future__ import annotations

import contextlib

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ...errors import AsyncAlembicError
from .driver import in_transaction
from .driver import pragma


class Transaction:
    """The open transaction of a connection, if there is one.

    It is marked by a number that SQLite leaves to the app, in the temporary database of
    the connection: a rollback changes that back
    (https://www.sqlite.org/pragma.html#pragma_user_version).

    :param connection: A connection outside of a transaction.
    :ivar is_open: Whether it is open, as far as known.
    :ivar has_changes: Whether a statement has changed anything in it.
    :ivar has_lost: Whether a rollback within a revision has undone such changes,
        unless the revision has begun the transaction.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.is_open: bool = False
        self.has_changes: bool = False
        self.has_lost: bool = False
        self._is_of_revision = False
        self._original = self._read_mark()
        self._mark = self._original or 0

    def on_begin(self) -> None:
        self.is_open = True
        self.has_changes = False
        self._is_of_revision = True
        self._mark += 1
        self._write_mark(self._mark)

    def on_revision_start(self) -> None:
        self._is_of_revision = False

    def has_ended(self) -> bool:
        """Whether it was ended past SQLAlchemy, by a statement or after an error."""
        return self.is_open and not in_transaction(self._connection)

    def was_rolled_back(self) -> bool:
        """Whether it was rolled back when it has ended."""
        return self._read_mark() == self._mark - 1

    def on_end(self, *, is_rollback: bool) -> None:
        """
        :param is_rollback: Whether it was rolled back, within a revision.
        """
        self.has_lost |= is_rollback and self.has_changes and not self._is_of_revision
        self.is_open = False

    def check(self) -> None:
        """Check that no changes were lost.

        :raises AsyncAlembicError: If a rollback has undone them.
        """
        if self.has_lost:
            self.has_lost = False
            raise AsyncAlembicError(
                "The transaction was rolled back within the revision, and with it what"
                " was changed before. Use a savepoint, 'op.get_bind().begin_nested()'"
            )

    def restore(self) -> None:
        """Remove the mark."""
        if self._original is not None:
            self._write_mark(self._original)

    def _read_mark(self) -> int | None:
        # Not every driver has it.
        with contextlib.suppress(DBAPIError):
            for (mark,) in pragma(self._connection, "temp.user_version"):
                return int(mark)

        return None

    def _write_mark(self, mark: int) -> None:
        if self._original is not None:
            pragma(self._connection, f"temp.user_version={mark}")
