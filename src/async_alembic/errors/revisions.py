"""Errors in a target, in the history or in a revision file."""

from __future__ import annotations

import re
import typing as t

from .base import AsyncAlembicError
from .quoting import with_class

if t.TYPE_CHECKING:
    import collections.abc as c
    import os


#: A target that counts steps, such as "+1" and "head-1".
RELATIVE: re.Pattern[str] = re.compile(r".*[+-][0-9]+")


class RevisionError(AsyncAlembicError):
    """A target revision cannot be resolved or reached."""


class RevisionNotFoundError(RevisionError):
    """There is no such revision or branch.

    :ivar revision: The id or label that was not found.
    """

    def __init__(self, revision: str) -> None:
        text = f"There is no revision or branch '{revision}'."

        if RELATIVE.fullmatch(revision):
            text = f"'{revision}' counts revisions, but this needs the name of one."

        super().__init__(f"{text} 'db log' lists the revisions.")
        self.revision = revision


class AmbiguousRevisionError(RevisionError):
    """A partial revision id matches several revisions.

    :ivar revision: The partial id.
    """

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"Several revision ids start with '{revision}'. Give more characters of the"
            " id; 'db log' lists the revisions."
        )
        self.revision = revision


class MultipleHeadsError(RevisionError):
    """There are several heads where one is needed.

    :ivar heads: The ids of the heads.
    """

    def __init__(self, heads: c.Iterable[str], advice: str | None = None) -> None:
        """
        :param advice: What to do.
        """
        self.heads: tuple[str, ...] = tuple(heads)
        advice = advice or (
            "Name one of them or its branch, as in 'branch@head', or merge them with"
            " 'db merge'."
        )
        super().__init__(
            f"There are several heads where one is needed: {', '.join(self.heads)}."
            f" {advice}"
        )


class HeadFileError(RevisionError):
    """A ``head`` file does not name the last revision, or has a conflict.

    :ivar path: The path of the file.
    """

    def __init__(self, path: str, named: str | None, head: str) -> None:
        """
        :param named: What the file has, or ``None`` for the markers of a conflict.
        :param head: The id of the last revision.
        """
        if named is None:
            text = (
                f"'{path}' has a conflict, as two branches have added revisions: run"
                " 'db rebase', which puts yours on top of theirs and corrects the file."
            )
        else:
            text = (
                f"'{path}' names revision '{named}', but the last revision beside it is"
                f" {head}: run 'db rebase', which corrects the file."
            )

        super().__init__(text)
        self.path = path


class SquashError(RevisionError):
    """Revisions cannot be squashed, because something would be lost.

    :ivar details: The places in files, or the differences between the schemas.
    """

    def __init__(self, problem: str, details: c.Iterable[str]) -> None:
        self.details: tuple[str, ...] = tuple(details)
        super().__init__(
            f"{problem}: {'; '.join(self.details)}. Nothing was changed. Squash what"
            " comes before or after it."
        )


class NotUpToDateError(RevisionError):
    """A database must be at head before it is compared with the models.

    :ivar database: The name of the engine, such as ``"default"``.
    """

    def __init__(self, database: str) -> None:
        super().__init__(
            f"Database '{database}' is not at head, so it cannot be compared with the"
            " models. Run 'db upgrade' first; 'db revision --empty' compares nothing."
        )
        self.database = database


class UnknownRevisionInDatabaseError(RevisionError):
    """The database is at a revision that the code does not have.

    :ivar database: The name of the engine, such as ``"default"``.
    :ivar revisions: The unknown revision ids.
    """

    def __init__(
        self,
        database: str,
        revisions: c.Iterable[str],
        empty: str | None = None,
        squashed: str | None = None,
    ) -> None:
        """
        :param empty: The path of the script directory, if it has no revisions.
        :param squashed: The id of the revision that has replaced it, if one has.
        """
        self.database = database
        self.revisions: tuple[str, ...] = tuple(revisions)
        where = f"Database '{database}' is at revision {', '.join(self.revisions)}"

        if empty is not None:
            super().__init__(
                f"The script directory '{empty}' has no revisions. {where}. Set"
                " app.config['ALEMBIC']['script_location'] to the folder that has this"
                " revision, or restore its files."
            )
        elif squashed is not None:
            super().__init__(
                f"{where}, which was squashed into {squashed}. Upgrade it to {squashed}"
                " with the code from before the squash."
            )
        else:
            super().__init__(
                f"{where}, which this code does not have; was a deploy rolled back?"
                " Downgrade with the code that has the revision. If its file no longer"
                " exists, run 'db stamp --purge' with the revision that matches the"
                " schema."
            )


class RevisionIdError(RevisionError):
    """The id of a revision is too long for the version table.

    :ivar database: The name of the engine, such as ``"default"``.
    :ivar revision: The id of the revision.
    :ivar path: The path of the revision file.
    :ivar length: How many characters the version table takes.
    """

    def __init__(
        self, database: str, revision: str, path: str, table: str, length: int
    ) -> None:
        super().__init__(
            f"The id of revision {revision} ({path}) has {len(revision)} characters,"
            f" but the column '{table}.version_num' of database '{database}' takes"
            f" {length}. It was not run. Give it a shorter id, or widen the column in"
            f" an earlier revision: op.alter_column('{table}', 'version_num',"
            f" type_=sa.String({len(revision)}), existing_nullable=False)."
        )
        self.database = database
        self.revision = revision
        self.path = path
        self.length = length


class RevisionFileError(AsyncAlembicError):
    """A revision file is broken, a duplicate, or part of a cycle.

    :ivar path: The path of the file.
    :ivar line: The line number, counted from 1, or ``None`` if it is not known.
    """

    def __init__(
        self, path: str | os.PathLike[str], line: int | None, reason: str
    ) -> None:
        self.path: str = str(path)
        self.line = line
        place = self.path if line is None else f"{self.path}, line {line}"
        super().__init__(f"Revision file {place}: {reason}")


class OfflineError(AsyncAlembicError):
    """A revision cannot be written as SQL.

    :ivar revision: The id of the revision.
    :ivar path: The path of the revision file.
    :ivar line: The line that failed, if it is in this file.
    """

    def __init__(
        self,
        revision: str,
        path: str,
        line: int | None,
        cause: BaseException,
        advice: str | None = None,
    ) -> None:
        """
        :param advice: What to do, if not what helps where a database is needed.
        """
        place = path if line is None else f"{path}:{line}"
        advice = advice or (
            "If it needs a database, check 'context.is_offline_mode()' in it, or"
            " upgrade without SQL."
        )
        super().__init__(
            f"Revision {revision} ({place}) cannot be written as SQL:"
            f" {with_class(cause)}. {advice}"
        )
        self.revision = revision
        self.path = path
        self.line = line


class PlanError(AsyncAlembicError):
    """Revisions cannot be tried out, for a plan or a squash. The database is unchanged.

    :ivar database: The name of the engine, such as ``"default"``.
    """

    def __init__(self, database: str, reason: str, advice: str = "") -> None:
        super().__init__(
            f"Revisions cannot be tried out for database '{database}', which is"
            f" unchanged: {reason.rstrip('.')}.{advice and f' {advice}.'}"
        )
        self.database = database
