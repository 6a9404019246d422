"""What Alembic writes into the version table after each revision, sent along with the
next statement, which saves a round trip.
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

import sqlalchemy as sa

from ...errors import RevisionError

#: How Alembic goes from one revision to the next.
_step = re.compile(
    r"UPDATE (?P<table>[^\n;]+) SET version_num='(?P<to>[^'\n]*)'"
    r" WHERE [^\n;]+\.version_num = '(?P<from>[^'\n]*)'"
)


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
        self._last: re.Match[str] | None = None

    def keep(self, text: str, context: t.Any) -> bool:
        """Keep a statement back, if it goes from one revision to the next.

        :param text: The statement.
        :param context: SQLAlchemy's execution context.
        :return: Whether it is kept.
        """
        statement = getattr(getattr(context, "compiled", None), "statement", None)
        step = _step.fullmatch(text) if isinstance(statement, sa.Update) else None

        if step is None:
            return False

        if self._last is not None and self._last["to"] != step["from"]:
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
        return self._last["table"].rpartition(".")[2].strip('"').lower()

    def settle(self) -> None:
        """Send what is kept by itself, and check that nothing was missing.

        :raises RevisionError: If the version table is not as it was expected to be.
        """
        if (last := self._last) is None:
            return

        kept, self._kept, self._last = self._kept, "", None
        tag = self._send(
            kept or f"SELECT FROM {last['table']} WHERE version_num = '{last['to']}'"
        )

        if tag.rpartition(" ")[2] != "1":
            raise RevisionError(
                f"The version table {last['table']} has not the one row of revision"
                f" {last['from']} that revision {last['to']} follows. Correct what"
                " changes it: a trigger, or a revision up to that one."
            )

    def forget(self) -> None:
        """Drop what is kept, as the transaction is rolled back."""
        self._kept, self._last = "", None


def _joined(first: str, second: str) -> str:
    return f"{first}\n;\n{second}" if first else second
