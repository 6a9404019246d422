"""What records how far a revision is, where DDL cannot be rolled back."""

from __future__ import annotations

import abc
import collections.abc as c
import typing as t

if t.TYPE_CHECKING:
    from ..results import PartialRevision


class Recorded(t.NamedTuple):
    """What is recorded of a revision.

    :param partial: What was applied.
    :param statements: What the dialect needs to resume the revision.
    """

    partial: PartialRevision
    statements: tuple[t.Any, ...]


class Journal(abc.ABC):
    """The record of the revision that is running, or that was interrupted."""

    @abc.abstractmethod
    def exists(self) -> bool:
        """Return whether there is a record, which may be empty or out of date."""

    @abc.abstractmethod
    def read(self, database: str, heads: c.Collection[str] | None) -> Recorded | None:
        """Return what is half applied, if anything.

        :param database: The name of the database.
        :param heads: The ids of the revisions that the database is at. If they are not
            those of the record, it is out of date. ``None`` if they are unknown.
        """

    @abc.abstractmethod
    def clear(self) -> None:
        """Delete the record, and commit."""
