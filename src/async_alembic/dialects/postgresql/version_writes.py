"""Sends Alembic's update of the version table along with the next statement, which
saves a round trip per revision.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..version_updates import VersionUpdate


class VersionWrites:
    """Defers updates of the version table.

    They are sent before the next statement, in the same text, so the server executes
    the same statements in the same order. Only the row counts are lost. If an update
    matches no row, neither does the next one, so the count of the last update covers
    them all. The first update is not deferred: its own revision fails, and not the
    next, if the user may not write into the table.

    :param send: Sends a text by itself, and returns the last command tag, such as
        ``"UPDATE 1"``.
    """

    def __init__(self, send: c.Callable[[str], str]) -> None:
        self._send = send
        self._deferred = ""
        self._last: VersionUpdate | None = None
        self._is_tried = False

    def defer(self, text: str, context: t.Any) -> bool:
        """Defer a statement, if it is an update from one revision to the next.

        :param text: The statement.
        :param context: SQLAlchemy's execution context.
        :return: Whether it is deferred.
        """
        if (step := VersionUpdate.of(context, text)) is None:
            return False

        if not self._is_tried:
            self._is_tried = True
            return False

        if self._last is not None and self._last.next != step.last:
            # The step is on another branch.
            self.flush()

        self._deferred = _joined(self._deferred, text)
        self._last = step
        return True

    def prepend_to(self, text: str) -> str:
        """Prepend the deferred updates to a text. If it uses the version table, send
        them by themselves first, and check them.
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
        """Send the deferred updates by themselves, and check that no row was missing.

        :raises RevisionError: If the version table was changed by something else.
        """
        if (last := self._last) is None:
            return

        deferred, self._deferred, self._last = self._deferred, "", None
        tag = self._send(
            deferred or f"SELECT FROM {last.table} WHERE version_num = '{last.next}'"
        )

        if tag.rpartition(" ")[2] != "1":
            raise last.missing_row()

    def discard(self) -> None:
        """Drop the deferred updates, as the transaction is rolled back."""
        self._deferred, self._last = "", None


def _joined(first: str, second: str) -> str:
    return f"{first}\n;\n{second}" if first else second
