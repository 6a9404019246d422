"""What is wrong with a target, with a history or with a file of it."""

from __future__ import annotations

import typing as t

from .base import AsyncAlembicError

if t.TYPE_CHECKING:
    import collections.abc as c
    import os


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
