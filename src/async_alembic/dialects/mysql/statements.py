"""The statements of the transaction that is open."""

from __future__ import annotations

import dataclasses
import typing as t

from .journal import APPLIED
from .journal import UNDONE

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .journal import Entry


class Statements:
    """The statements of a transaction, and which of them are rolled back.

    :ivar position: The position of the first one.
    :ivar entries: The statements.
    """

    def __init__(self, position: int = 1) -> None:
        self.position: int = position
        self.entries: list[Entry] = []
        #: The position of the next statement when each savepoint was set.
        self._savepoints: list[int] = []

    def end(self) -> None:
        """Begin the next transaction."""
        self.position += len(self.entries)
        self.entries = []

    def undo(self, position: int = 0) -> None:
        """Note that the statements from a position on were rolled back."""
        for index in range(max(position - self.position, 0), len(self.entries)):
            entry = self.entries[index]

            if entry.kind == APPLIED:
                self.entries[index] = dataclasses.replace(entry, kind=UNDONE)

    def before_savepoint(self, connection: sa.Connection, name: str | None) -> None:
        self._savepoints.append(self.position + len(self.entries))

    def before_release(
        self, connection: sa.Connection, name: str, context: None
    ) -> None:
        self._savepoints.pop()

    def before_rollback_to(
        self, connection: sa.Connection, name: str, context: None
    ) -> None:
        self.undo(self._savepoints.pop())
