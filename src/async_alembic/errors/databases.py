"""What goes wrong while a database is migrated."""

from __future__ import annotations

import typing as t

from .base import AsyncAlembicError
from .base import first_line

if t.TYPE_CHECKING:
    from ..results import LockHolder
    from ..results import PartialRevision


class DatabaseError(AsyncAlembicError):
    """A database refused a statement; ``__cause__`` is its own error.

    :ivar blocker: Who has a lock that the statement could not get, if that is known.
    """

    def __init__(self, error: BaseException, blocker: LockHolder | None = None) -> None:
        super().__init__(
            f"The database refused: {first_line(error)}{_blocked_by(blocker)}. Check"
            " that the login may do this, and that the database is not in use by"
            " another migration."
        )
        self.blocker = blocker


class MigrationError(AsyncAlembicError):
    """A revision failed while it was applied; ``__cause__`` is its own error.

    :ivar database: The name of the engine, such as ``"default"``.
    :ivar revision: The id of the revision.
    :ivar path: Its file.
    :ivar partial: What is left of the revision, where not all could be rolled back.
    :ivar blocker: Who has a lock that the revision could not get, if that is known.
    """

    def __init__(
        self,
        direction: str,
        database: str,
        revision: str,
        path: str,
        error: BaseException,
        *,
        advice: str | None = None,
        partial: PartialRevision | None = None,
        blocker: LockHolder | None = None,
    ) -> None:
        self._direction = direction
        self._error = error
        self._advice = advice
        self.database = database
        self.revision = revision
        self.path = path
        self.partial = partial
        self.blocker = blocker
        way_out = partial or (
            f"{advice or 'Correct the revision or the data'}, and run the {direction}"
            " again."
        )
        super().__init__(
            f"The {direction} of database '{database}' failed in revision {revision}"
            f" ({path}): {first_line(error)}{_blocked_by(blocker)}. {way_out}"
        )

    def blocked_by(self, blocker: LockHolder | None) -> MigrationError:
        """The same error, with who was in the way."""
        return MigrationError(
            self._direction,
            self.database,
            self.revision,
            self.path,
            self._error,
            advice=self._advice,
            partial=self.partial,
            blocker=blocker,
        )


class PartialRevisionError(AsyncAlembicError):
    """A revision that failed before is half applied, and nothing was done about it.

    :ivar partial: Which one, and what of it was applied.
    """

    def __init__(self, partial: PartialRevision) -> None:
        super().__init__(str(partial))
        self.partial = partial


class BatchError(AsyncAlembicError):
    """A batch change was not made, as it would break something or is not possible.

    :ivar table: The table.
    :ivar broken: What it would break, such as ``"view 'totals'"``, if that is why.
    """

    def __init__(
        self,
        table: str,
        broken: str | None,
        reason: str,
        advice: str = "Drop that in the revision before the batch, and create it anew"
        " after it.",
    ) -> None:
        self.table = table
        self.broken = broken
        what = f"would break the {broken}" if broken else "is not possible"
        super().__init__(
            f"The batch change of table '{table}' {what}: {reason}. {advice}"
        )


class ForeignKeyError(AsyncAlembicError):
    """A migration would leave a foreign key broken, so it was rolled back.

    :ivar table: The table of the row; ``schema.table`` in an attached database.
    :ivar row: Its ``rowid``, if the table has one.
    :ivar parent: The table that it refers to.
    :ivar constraint: The name of the foreign key, if it has one.
    :ivar columns: Its columns; empty if it refers to what is not unique.
    :ivar referred: The columns that it refers to, if it names them.
    """

    def __init__(
        self,
        table: str,
        row: int | None,
        parent: str,
        constraint: str | None = None,
        columns: tuple[str, ...] = (),
        referred: tuple[str, ...] = (),
    ) -> None:
        self.table = table
        self.row = row
        self.parent = parent
        self.constraint = constraint
        self.columns = columns
        self.referred = referred
        to = f"{parent} ({', '.join(referred)})" if referred else parent
        key = f"'{constraint}'" if constraint else f"({', '.join(columns)}) to {to}"
        what = (
            f"{'A row' if row is None else f'Row {row}'} of table '{table}' would refer"
            f" to a row of table '{parent}' that is not there, by the foreign key {key}"
            if columns
            else f"A foreign key of table '{table}' would refer to columns of table"
            f" '{parent}' that are neither its primary key nor unique together"
        )
        super().__init__(
            f"{what}, so this was rolled back. Correct the revision or the data."
        )


def _blocked_by(blocker: LockHolder | None) -> str:
    return f" (blocked by {blocker})" if blocker else ""
