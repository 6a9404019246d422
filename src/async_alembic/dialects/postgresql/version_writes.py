"""What Alembic writes into the version table after each revision, sent along with the
next statement, which saves a round trip.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from ...errors import RevisionError
from ..base import VERSION_UPDATE


class Step(t.NamedTuple):
    """An update from one revision to the next.

    :param table: The version table, as SQL.
    :param last: The id that it has been at.
    :param next: The id that it is at then.
    """

    table: str
    last: str
    next: str


class VersionWrites:
    """The writes that are kept back.

    What is executed next is sent behind them, as one text, so that the server does the
    same in the same order, and nobody can tell but by the answer: it leaves out whether
    the row was there. A row that was not is missing to the next write as well, so the
    answer to the last one tells for all.

    :param send: Sends a text by itself, and returns the last command tag, such as
        ``"UPDATE 1"``.
    """

    def __init__(self, send: c.Callable[[str], str]) -> None:
        self._send = send
        self._kept = ""
        self._last: Step | None = None

    def keep(self, text: str, context: t.Any) -> bool:
        """Keep a statement back, if it goes from one revision to the next.

        :param text: The statement.
        :param context: SQLAlchemy's execution context.
        :return: Whether it is kept.
        """
        if context is None or not context.execution_options.get(VERSION_UPDATE):
            return False

        ids = context.compiled_parameters[0]
        table = text.partition(" SET ")[0].removeprefix("UPDATE ")
        step = Step(table, ids["last_id"], ids["next_id"])

        if self._last is not None and self._last.next != step.last:
            # On another branch.
            self.settle()

        self._kept = _joined(self._kept, text)
        self._last = step
        return True

    def before(self, text: str) -> str:
        """Put what is kept before another text, to be sent with it. A text that is
        about the version table has to be sent by itself, so what is kept is sent now.
        """
        if self._last is not None and self._name in text.lower():
            self.settle()

        kept, self._kept = self._kept, ""
        return _joined(kept, text)

    @property
    def _name(self) -> str:
        """The name of the version table, without its schema."""
        assert self._last is not None
        return self._last.table.rpartition(".")[2].strip('"').lower()

    def settle(self) -> None:
        """Send what is kept by itself, and check that nothing was missing.

        :raises RevisionError: If the version table is not as it was expected to be.
        """
        if (last := self._last) is None:
            return

        kept, self._kept, self._last = self._kept, "", None
        tag = self._send(
            kept or f"SELECT FROM {last.table} WHERE version_num = '{last.next}'"
        )

        if tag.rpartition(" ")[2] != "1":
            raise RevisionError(
                f"The version table {last.table} has not the one row of revision"
                f" {last.last} that revision {last.next} follows. Correct what"
                " changes it: a trigger, or a revision up to that one."
            )

    def forget(self) -> None:
        """Drop what is kept, as the transaction is rolled back."""
        self._kept, self._last = "", None


def _joined(first: str, second: str) -> str:
    return f"{first}\n;\n{second}" if first else second
