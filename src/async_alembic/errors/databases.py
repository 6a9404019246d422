"""Errors while a database is migrated."""

from __future__ import annotations

import collections.abc as c
import contextlib
import re
import typing as t

from .base import AsyncAlembicError
from .base import causes_of
from .base import is_connection_lost
from .quoting import first_line
from .quoting import quote_statement
from .quoting import with_class

if t.TYPE_CHECKING:
    from ..results import LockHolder
    from ..results import Outcome
    from ..results import PartialRevision


_CONNECTION_ADVICE = (
    "Check that the server runs, and idle timeouts of the server and of proxies"
)
_BLOCKED_ADVICE = (
    "It conflicted with another transaction: set app.config['ALEMBIC_RETRIES'] or wait"
)

#: Of asyncio.
_OTHER_LOOP = "attached to a different loop|Event loop is closed"
_SAVEPOINT_ADVICE = (
    "A server rolls back everything after an error: run a statement that may fail in"
    " 'with op.get_bind().begin_nested():'"
)
_RECORD_ADVICE = "Check that the user may write into that table"
_IMPORT_ADVICE = (
    "Import '{}' in the revision, and in the template 'script.py.mako' if new revisions"
    " need it"
)
_COMMITTED_ADVICE = "Undo by hand what stays, correct the revision"


@contextlib.contextmanager
def converted_database_errors() -> c.Iterator[None]:
    """Raise SQLAlchemy's errors as :exc:`DatabaseError`."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as e:
        raise DatabaseError(e) from e
    except RuntimeError as e:
        if not _is_of_other_loop(e):
            raise

        raise DatabaseError(e) from e


class DatabaseError(AsyncAlembicError):
    """A database rejected a statement, or SQLAlchemy could not make it.

    ``__cause__`` is the original error.

    :ivar blocker: The session that holds a lock which the statement needed, if known.
    """

    def __init__(self, error: BaseException, blocker: LockHolder | None = None) -> None:
        if is_connection_lost(error):
            message = (
                f"The connection to the database was lost: {first_line(error)}. What"
                f" was not committed was rolled back. {_CONNECTION_ADVICE}, and run the"
                " command again."
            )
        elif _is_of_other_loop(error):
            message = (
                "A connection in the engine's pool belongs to another event loop."
                " Create the engine with 'poolclass=NullPool', or call 'await"
                " engine.dispose()' before that loop ends."
            )
        # SQLAlchemy's own errors, such as one of a foreign key to a missing table, have
        # no error of a driver.
        elif not hasattr(error, "orig"):
            message = (
                f"SQLAlchemy raised {with_class(error)}."
                " Correct the models, the revision or the settings that it names."
            )
        elif blocker is not None:
            message = (
                f"The database rejected a statement: {first_line(error)}"
                f"{_format_blocker(blocker)}. What was not committed was rolled back."
                " Run the command again when that session has ended its transaction."
            )
        elif _is_of_server(getattr(error, "orig", None)):
            message = (
                f"The database rejected a statement: {first_line(error)}. Check that"
                " the user has the privileges for it, and that no other migration is"
                " using the database."
            )
        else:
            message = (
                f"The driver refused a statement: {first_line(error)}. Check the"
                " statement, and the options of the engine."
            )

        super().__init__(message)
        self.blocker = blocker


class ReadOnlyError(AsyncAlembicError):
    """The server is a replica, or refuses to write.

    :ivar database: The name of the engine, such as ``"default"``.
    """

    def __init__(self, database: str) -> None:
        super().__init__(
            f"Database '{database}' cannot be migrated, because this server is a"
            " replica or read-only. Connect to the primary."
        )
        self.database = database


class MigrationError(AsyncAlembicError):
    """A revision failed. ``__cause__`` is the original error.

    :ivar database: The name of the engine, such as ``"default"``.
    :ivar revision: The id of the revision.
    :ivar path: The path of the revision file.
    :ivar line: The line of the file that failed, counted from 1, if it is one.
    :ivar partial: What remains of the revision, if it was not rolled back completely.
    :ivar connection_lost: Whether the revision failed because the connection was lost.
    :ivar blocker: The session that holds a lock which the revision needed, if known.
    :ivar outcome: Where the database is since the rollback, if known.
    """

    def __init__(
        self,
        direction: str,
        database: str,
        revision: str,
        path: str,
        error: BaseException,
        *,
        line: int | None = None,
        is_recorded: bool = False,
        swallowed: str | None = None,
        advice: str | None = None,
        partial: PartialRevision | None = None,
        blocker: LockHolder | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        """
        :param is_recorded: Whether the revision itself has succeeded, so that writing
            its id into the version table failed.
        :param swallowed: The statement that failed before, if the revision went on.
        """
        self._arguments = direction, database, revision, path, error
        self._options: dict[str, t.Any] = {
            "line": line,
            "is_recorded": is_recorded,
            "swallowed": swallowed,
            "advice": advice,
            "partial": partial,
            "blocker": blocker,
            "outcome": outcome,
        }
        self.database = database
        self.revision = revision
        self.path = path
        self.line = line
        self.partial = partial
        self.blocker = blocker
        self.outcome = outcome
        self.connection_lost: bool = is_connection_lost(error)
        reason = with_class(error)

        if self.connection_lost:
            reason = f"the connection was lost: {reason}"
            advice = _CONNECTION_ADVICE
        elif swallowed:
            first = quote_statement(swallowed)
            reason = f"{first} failed, and the revision went on: {reason}"
            advice = advice or _SAVEPOINT_ADVICE
        elif is_recorded:
            advice = advice or _RECORD_ADVICE
        elif isinstance(error, NameError) and error.name:
            advice = advice or _IMPORT_ADVICE.format(error.name)
        elif outcome is not None and outcome.has_committed:
            advice = advice or _COMMITTED_ADVICE

        if is_recorded:
            reason = f"its id could not be written into the version table: {reason}"

        way_out = partial or (
            f"{f'{outcome}. ' if outcome else ''}"
            f"{advice or 'Correct the revision or the data'}, and run the {direction}"
            " again."
        )
        super().__init__(
            f"The {direction} of database '{database}' failed in revision {revision}"
            f" ({path}{f':{line}' if line else ''}): {reason}"
            f"{_format_blocker(blocker)}. {way_out}"
        )

    def ended_with(self, outcome: Outcome) -> MigrationError:
        """Return a copy of this error that says where the database is."""
        return self._changed(outcome=outcome)

    def blocked_by(self, blocker: LockHolder | None) -> MigrationError:
        """Return a copy of this error that says that another session was in the way,
        and which.
        """
        advice = self._options["advice"] or _BLOCKED_ADVICE
        return self._changed(advice=advice, blocker=blocker)

    def _changed(self, **options: t.Any) -> MigrationError:
        return MigrationError(*self._arguments, **{**self._options, **options})


class PartialRevisionError(AsyncAlembicError):
    """A revision that failed earlier is still half applied.

    :ivar partial: The revision, and what was applied of it.
    """

    def __init__(self, partial: PartialRevision, message: str | None = None) -> None:
        """
        :param message: What to say instead.
        """
        super().__init__(message or str(partial))
        self.partial = partial


class ResumeError(PartialRevisionError):
    """A half-applied revision cannot be resumed.

    :ivar partial: The revision, and what was applied of it.
    """

    def __init__(self, partial: PartialRevision, reason: str) -> None:
        """
        :param reason: What has changed since.
        """
        super().__init__(
            partial,
            f"Revision {partial.revision} cannot be resumed in database"
            f" '{partial.database}': {reason}. Restore what the revision was, finish it"
            f" by hand and run 'db stamp {partial.target}', or undo it by hand and run"
            f" 'db {partial.direction} --retry'.",
        )


class BatchError(AsyncAlembicError):
    """A batch change would break something or is not possible, so it was not made.

    :ivar table: The name of the table.
    :ivar broken: The object that it would break, such as ``"view 'totals'"``, if that
        is the reason.
    """

    def __init__(
        self,
        table: str,
        broken: str | None,
        reason: str,
        advice: str | None = None,
    ) -> None:
        self.table = table
        self.broken = broken
        what = f"would break the {broken}" if broken else "is not possible"

        if advice is None:
            advice = (
                f"In the revision, drop the {broken} before the batch and recreate the"
                f" {broken} after it."
            )

        super().__init__(
            f"The batch change of table '{table}' {what}: {reason}. {advice}"
        )


class ForeignKeyError(AsyncAlembicError):
    """A migration would violate a foreign key, so it was rolled back.

    :ivar table: The referencing table; ``schema.table`` in an attached database.
    :ivar row: The ``rowid`` of the referencing row, if the table has rowids.
    :ivar parent: The referenced table.
    :ivar constraint: The name of the foreign key, if it has one.
    :ivar columns: The columns of the foreign key; empty if the referenced columns are
        not unique.
    :ivar referred: The referenced columns, if the foreign key names them.
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
            f" to a missing row of table '{parent}' through the foreign key {key}"
            if columns
            else f"A foreign key of table '{table}' would refer to columns of table"
            f" '{parent}' that are not its primary key and not unique"
        )
        super().__init__(
            f"{what}, so the migration was rolled back. Correct the revision or the"
            " data."
        )


def _is_of_other_loop(error: BaseException) -> bool:
    return any(
        isinstance(cause, RuntimeError) and re.search(_OTHER_LOOP, str(cause))
        for cause in causes_of(error)
    )


def _is_of_server(error: BaseException | None) -> bool:
    """Return whether an error of a driver has the code of a server."""
    codes = ("sqlstate", "pgcode", "sqlite_errorcode")
    number = error.args[0] if error is not None and error.args else None
    return isinstance(number, int) or any(getattr(error, code, None) for code in codes)


def _format_blocker(blocker: LockHolder | None) -> str:
    return f" (blocked by {blocker})" if blocker else ""
