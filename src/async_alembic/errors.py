"""What can go wrong, as one tree.

::

    AsyncAlembicError                 everything below; a RuntimeError
    ├── ConfigurationError            a key, an argument or a folder is wrong
    │   ├── AppError                  no app, several, or one that is not registered
    │   ├── TargetError               engines and metadata are missing or do not match
    │   └── ScriptLocationError       there is no script directory
    ├── BlockingCallError             a blocking call where an event loop is running
    ├── DatabaseConnectionError       a database is out of reach or refuses the login
    ├── RevisionError                 a target cannot be resolved or reached
    │   ├── RevisionNotFoundError     no such revision or branch
    │   ├── AmbiguousRevisionError    a partial id fits several revisions
    │   ├── MultipleHeadsError        several heads where one is needed
    │   ├── NotUpToDateError          the database must be at head first
    │   └── UnknownRevisionInDatabaseError
    │                                 the database is at a revision unknown to the code
    ├── RevisionFileError             a revision file is broken, or there twice
    ├── DatabaseError                 a database refused a statement
    ├── MigrationError                a revision failed while it was applied
    ├── ForeignKeyError               a migration would leave a row that refers to none
    ├── BatchError                    a batch change would break a view or a trigger
    ├── LockTimeout                   another migrator did not end in time
    ├── LockLostError                 the lock was lost while migrating
    ├── LockUnavailableError          there are no locks where the database is
    └── WaitTimeoutError              the databases were not current in time

Every message is one sentence or two: what is wrong, by its name, and the way out. The
attributes carry the same as data. No message holds a password.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import collections.abc as c
    import os

    import sqlalchemy as sa

    from .holders import LockHolder


class AsyncAlembicError(RuntimeError):
    """The base of every error that this package raises on purpose."""


class ConfigurationError(AsyncAlembicError):
    """A config key, a constructor argument or a folder is missing or wrong."""


class AppError(ConfigurationError):
    """It is not clear which app is meant, or the app was not registered."""


class TargetError(ConfigurationError):
    """Engines and metadata are missing, of mixed kinds, or do not match."""


class ScriptLocationError(ConfigurationError):
    """There is no script directory.

    :ivar path: Where it should be.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            f"There is no script directory '{path}'. Run 'db mkdir' to create it, or"
            " correct app.config['ALEMBIC']['script_location']."
        )
        self.path = path


class BlockingCallError(AsyncAlembicError):
    """A blocking method was called in a thread whose event loop is running.

    :ivar method: The name of the method or property.
    :ivar awaited: What to await instead.
    """

    def __init__(self, method: str, awaited: str) -> None:
        super().__init__(
            f"'SyncAlembic.{method}' would block the event loop that runs in this"
            f" thread. Use 'await alembic.{awaited}' of 'Alembic', or call it in"
            " another thread."
        )
        self.method = method
        self.awaited = awaited


class DatabaseConnectionError(AsyncAlembicError):
    """A database cannot be reached, or refuses the login.

    :ivar database: The name of the engine, such as ``"default"``.
    :ivar url: The engine's URL, its password hidden.
    """

    def __init__(self, database: str, url: sa.URL, error: BaseException) -> None:
        self.database = database
        self.url: str = url.render_as_string(hide_password=True)
        reason = first_line(error)

        if url.password:
            reason = reason.replace(str(url.password), "***")

        super().__init__(
            f"Cannot connect to database '{database}' at {self.url}: {reason}. Check"
            " the URL, the login, and that the server is running."
        )


class RevisionError(AsyncAlembicError):
    """A target revision cannot be resolved, or cannot be reached."""


class RevisionNotFoundError(RevisionError):
    """There is no such revision or branch.

    :ivar revision: What was asked for.
    """

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"There is no revision or branch '{revision}'. 'db log' lists the revisions"
            " that there are."
        )
        self.revision = revision


class AmbiguousRevisionError(RevisionError):
    """A partial revision id fits several revisions.

    :ivar revision: What was asked for.
    """

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"Several revisions start with '{revision}'. Give more of the id; 'db log'"
            " lists the revisions that there are."
        )
        self.revision = revision


class MultipleHeadsError(RevisionError):
    """There are several heads where one is needed.

    :ivar heads: The ids of the heads.
    """

    def __init__(self, heads: c.Iterable[str]) -> None:
        self.heads: tuple[str, ...] = tuple(heads)
        super().__init__(
            f"There are several heads where one is needed: {', '.join(self.heads)}."
            " Name one of them, use 'heads' for all of them, or join them with 'db"
            " merge'."
        )


class NotUpToDateError(RevisionError):
    """A new revision can only be generated from a database that is at head.

    :ivar database: The name of the engine, such as ``"default"``.
    """

    def __init__(self, database: str) -> None:
        super().__init__(
            f"Database '{database}' is not at head, so it cannot be compared with the"
            " models yet. Run 'db upgrade' first, or make the revision with 'empty'."
        )
        self.database = database


class UnknownRevisionInDatabaseError(RevisionError):
    """The database is at a revision that the code does not have.

    :ivar database: The name of the engine, such as ``"default"``.
    :ivar revisions: The ids that only the database knows.
    """

    def __init__(self, database: str, revisions: c.Iterable[str]) -> None:
        self.database = database
        self.revisions: tuple[str, ...] = tuple(revisions)
        super().__init__(
            f"Database '{database}' is at revision {', '.join(self.revisions)}, which"
            " this code does not have, as after a deploy was rolled back. Run the code"
            " that has it and downgrade with that, or, if the file is gone for good,"
            " 'db stamp --purge' the revision that the database really is at."
        )


class RevisionFileError(AsyncAlembicError):
    """A revision file is broken, there twice, or part of a cycle.

    :ivar path: The file.
    :ivar line: The line in it, counted from 1, where it is known.
    """

    def __init__(
        self, path: str | os.PathLike[str], line: int | None, reason: str
    ) -> None:
        self.path: str = str(path)
        self.line = line
        place = self.path if line is None else f"{self.path}, line {line}"
        super().__init__(f"Revision file {place}: {reason}")


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
    :ivar blocker: Who has a lock that the revision could not get, if that is known.
    """

    def __init__(
        self,
        direction: str,
        database: str,
        revision: str,
        path: str,
        error: BaseException,
        blocker: LockHolder | None = None,
    ) -> None:
        self._direction = direction
        self._error = error
        self.database = database
        self.revision = revision
        self.path = path
        self.blocker = blocker
        super().__init__(
            f"The {direction} of database '{database}' failed in revision {revision}"
            f" ({path}): {first_line(error)}{_blocked_by(blocker)}. Correct the"
            f" revision or the data, and run the {direction} again."
        )

    def blocked_by(self, blocker: LockHolder | None) -> MigrationError:
        """The same error, with who was in the way."""
        return MigrationError(
            self._direction,
            self.database,
            self.revision,
            self.path,
            self._error,
            blocker,
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
        self.table, self.row, self.parent = table, row, parent
        self.constraint, self.columns, self.referred = constraint, columns, referred
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


class BatchError(AsyncAlembicError):
    """A batch change would break what uses the table, so it was not made.

    :ivar table: The table.
    :ivar broken: What it would break, such as ``"view 'totals'"``.
    """

    def __init__(self, table: str, broken: str, reason: str) -> None:
        self.table = table
        self.broken = broken
        super().__init__(
            f"The batch change of table '{table}' would break the {broken}: {reason}."
            " Drop that in the revision before the batch, and create it anew after it."
        )


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


def _blocked_by(blocker: LockHolder | None) -> str:
    return f" (blocked by {blocker})" if blocker else ""


def first_line(error: BaseException) -> str:
    """The first line of an error's text with the statement that it names, if any, and
    without its parameters, which can hold secrets.
    """
    text = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    line = " ".join(text.splitlines()[0].split()).rstrip(".")
    statement = getattr(error, "statement", None)

    if statement:
        line += f", in [{' '.join(str(statement).split())[:500]}]"

    return line
