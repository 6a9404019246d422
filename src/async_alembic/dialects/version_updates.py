"""Alembic's update of the version table after a revision, where a driver defers it."""

from __future__ import annotations

import typing as t

from ..errors import RevisionError
from .base import VERSION_UPDATE


class VersionUpdate(t.NamedTuple):
    """An update from one revision to the next.

    :param table: The version table, as SQL.
    :param last: The id before the update.
    :param next: The id after the update.
    """

    table: str
    last: str
    next: str

    @classmethod
    def of(cls, context: t.Any, statement: str) -> VersionUpdate | None:
        """Return the update that is executed, if it is one.

        :param context: SQLAlchemy's execution context.
        :param statement: The statement, as it is sent.
        """
        # The context has the options of the statement that Alembic executes, which was
        # replaced by this one.
        compiled = getattr(context, "compiled", None)

        if compiled is None or not compiled.execution_options.get(VERSION_UPDATE):
            return None

        ids = context.compiled_parameters[0]
        table = statement.partition(" SET ")[0].removeprefix("UPDATE ")
        return cls(table, ids["last_id"], ids["next_id"])

    def missing_row(self) -> RevisionError:
        """Return the error for an update that has not changed exactly one row."""
        return RevisionError(
            f"The version table {self.table} does not have exactly one row for revision"
            f" {self.last}, which revision {self.next} follows. Correct what changes"
            " the table: a trigger or a revision."
        )
