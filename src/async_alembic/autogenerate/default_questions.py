"""Asks the server about all server defaults of a comparison in one query.

Alembic sends a query for each column whose default it cannot compare by its text. It
executes both defaults, with all that their functions do.
"""

from __future__ import annotations

import collections.abc as c
import itertools
import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    from ..dialects.server_defaults import Defaults

    #: What the server is to spell: the default of the database, and that of the model.
    Key: t.TypeAlias = tuple[str, str]


class Questions:
    """The expressions of one comparison, and the server's answers.

    :param impl: Alembic's implementation for the database.
    :param defaults: How the database shows server defaults.
    """

    def __init__(self, impl: DefaultImpl, defaults: Defaults) -> None:
        self._impl = impl
        self._defaults = defaults
        self._open: set[Key] = set()
        self._answers: dict[Key, bool] = {}

    def compare(
        self,
        inspected: sa.ColumnElement[t.Any],
        column: sa.Column[t.Any],
        new: str,
        found: str,
    ) -> Key | bool:
        """Compare a server default without sending a query.

        :param inspected: The column of the database. Its type is what matters.
        :param column: The column of the model.
        :param new: The default of the model, as SQL.
        :param found: The default of the database, as SQL.
        :return: Whether it has changed, or the key of the answer.
        """
        is_changed = self._defaults.is_changed(inspected, column, new, found)

        if is_changed is not None:
            return is_changed

        if isinstance(t.cast("sa.DefaultClause", column.server_default).arg, str):
            new = "'" + new.replace("'", "''") + "'"

        is_known = not isinstance(inspected.type, sa.types.NullType)
        type_ = (inspected if is_known else column).type.compile(self._impl.dialect)
        # A cast takes no collation.
        name, *_ = type_.partition(" COLLATE ")
        key = f"CAST({found} AS {name})", f"CAST({new} AS {name})"

        if key not in self._answers:
            self._open.add(key)

        return key

    def answers(self, connection: sa.Connection) -> c.Mapping[Key, bool]:
        """Send what has not been asked yet, and return which defaults are equal.

        :param connection: The connection to the database.
        :raises DBAPIError: The server refuses a default.
        """
        if self._open:
            expressions = [*dict.fromkeys(itertools.chain(*self._open))]
            spelled = self._defaults.spelled(connection, expressions)
            texts = dict(zip(expressions, spelled, strict=True))
            self._answers |= {key: texts[key[0]] == texts[key[1]] for key in self._open}
            self._open.clear()

        return self._answers
