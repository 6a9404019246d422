"""Compares server defaults of models and database.

Alembic compares texts, or lets the server compare values. It takes some equal defaults
for different, and then changes them in every revision; some it cannot compare at all.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import decimal
import re
import typing as t

import sqlalchemy as sa

# With parentheses, which Alembic adds to some, or a cast, which PostgreSQL adds.
_string = re.compile(r"\(?'((?:[^']|'')*)'\)?(?:::.*)?", re.DOTALL)
_string_with_escapes = re.compile(r"\(?'((?:[^'\\]|''|\\.)*)'\)?", re.DOTALL)
_escape = re.compile(r"''|\\(.)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Defaults:
    """How a database shows server defaults.

    :param backslashes: Whether a backslash is an escape character in strings.
    :param synonyms: The database's name of a function, by the name in models.
    :param server_compares: Whether the server spells expressions, where texts are not
        enough.
    """

    backslashes: bool = False
    synonyms: c.Mapping[str, str] = dataclasses.field(default_factory=dict)
    server_compares: bool = False

    def is_changed(
        self,
        inspected: sa.ColumnElement[t.Any],
        column: sa.Column[t.Any],
        new: str,
        found: str,
    ) -> bool | None:
        """Return whether a default has changed.

        :param inspected: The column of the database. Its type is what matters.
        :param column: The column of the model.
        :param new: The default of the model, as SQL.
        :param found: The default of the database, as SQL.
        :return: ``None`` to use Alembic's comparison.
        """
        arg = getattr(column.server_default, "arg", None)
        value = arg if isinstance(arg, str) else self._unquote(new)

        if value is None:
            return False if self._canonical(found) == self._canonical(new) else None

        text = self._unquote(found)

        if text == value or text is None and _is_same_number(found, value):
            return False

        # Alembic's comparison would send to the server what it refuses.
        is_certain = (
            "'" in value
            or inspected.type.__visit_name__ == "JSON"
            or isinstance(inspected.type, sa.Enum)
        )
        return True if text is not None and is_certain else None

    def spelled(
        self, connection: sa.Connection, expressions: c.Sequence[str]
    ) -> list[str]:
        """Return expressions as the server spells them, which executes no functions
        that have an effect.

        :param connection: A connection to the database.
        :param expressions: The expressions, as SQL.
        :raises DBAPIError: The server does not know what an expression is.
        """
        raise NotImplementedError

    def is_shown_the_same(
        self,
        connection: sa.Connection,
        inspected: sa.Column[t.Any],
        default: sa.DefaultClause,
    ) -> bool:
        """Return whether the server shows a default as it shows that of a column, for
        those that seem to have changed.

        :param connection: A connection to the database.
        :param inspected: The column of the database, in its table.
        :param default: The default of the model.
        """
        return False

    def _unquote(self, sql: str) -> str | None:
        match = (_string_with_escapes if self.backslashes else _string).fullmatch(sql)

        if match is None:
            return None

        if self.backslashes:
            return _escape.sub(lambda escape: escape[1] or "'", match[1])

        return match[1].replace("''", "'")

    def _canonical(self, sql: str) -> str:
        return self.synonyms.get(sql.lower(), sql)


def _is_same_number(one: str, other: str) -> bool:
    try:
        return decimal.Decimal(one) == decimal.Decimal(other)
    except decimal.InvalidOperation:
        return False
