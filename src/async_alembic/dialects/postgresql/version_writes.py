"""What Alembic writes into the version table after each revision, sent along with the
next statement, which saves a round trip.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from ...errors import RevisionError
from ..base import VERSION_UPDATE


class VersionUpdate(t.NamedTuple):
    """An update from one revision to the next.

    :param table: The version table, as SQL.
    :param last: The id that it has been at.
    :param next: The id that it is at then.
    """

    table: str
    last: str
    next: str


class VersionWrites:
    """The writes that are deferred.

    What is executed next is sent behind them, as one text, so that the server does the
    same in the same order, and nobody can tell but by the answer: it leaves out whether
    the row was there. A row that was not is missing to the next write as well, so the
    answer to the last one tells for all.

    :param send: Sends a text by itself, and returns the last command tag, such as
        ``"UPDATE 1"``.
    """

    def __init__(self, send: c.Callable[[str], str]) -> None:
        self._send = send
        self._deferred = ""
        self._last: VersionUpdate | None = None

    def defer(self, text: str, context: t.Any) -> bool:
        """Keep a statement back, if it goes from one revision to the next.

        :param text: The statement.
        :param context: SQLAlchemy's execution context.
        :return: Whether it is deferred.
        """
        if context is None or not context.execution_options.get(VERSION_UPDATE):
            return False

        ids = context.compiled_parameters[0]
        table = text.partition(" SET ")[0].removeprefix("UPDATE ")
        step = VersionUpdate(table, ids["last_id"], ids["next_id"])

        if self._last is not None and self._last.next != step.last:
            # On another branch.
            self.flush()

        self._deferred = _joined(self._deferred, text)
        self._last = step
        return True

    def prepend_to(self, text: str) -> str:
        """Put what is deferred before another text, to be sent with it. A text that is
        about the version table has to be sent by itself, so this is sent now.
        """
        if self._last is not None and self._table_name in text.lower():
            self.flush()

        deferred, self._deferred = self._deferred, ""
        return _joined(deferred, text)

    @property
    def _table_name(self) -> str:
        """The name of the version table, without its schema."""
        assert self._last is not None
        return self._last.table.rpartition(".")[2].strip('"').lower()

    def flush(self) -> None:
        """Send what is deferred by itself, and check that nothing was missing.

        :raises RevisionError: If the version table is not as it was expected to be.
        """
        if (last := self._last) is None:
            return

        deferred, self._deferred, self._last = self._deferred, "", None
        tag = self._send(
            deferred or f"SELECT FROM {last.table} WHERE version_num = '{last.next}'"
        )

        if tag.rpartition(" ")[2] != "1":
            raise RevisionError(
                f"The version table {last.table} has not the one row of revision"
                f" {last.last} that revision {last.next} follows. Correct what"
                " changes it: a trigger, or a revision up to that one."
            )

    def discard(self) -> None:
        """Drop what is deferred, as the transaction is rolled back."""
        self._deferred, self._last = "", None


def _joined(first: str, second: str) -> str:
    return f"{first}\n;\n{second}" if first else second
