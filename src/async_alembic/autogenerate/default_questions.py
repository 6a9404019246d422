"""Asks the server about all server defaults of a comparison in one query.

Alembic sends a query for each column whose default it cannot compare by its text.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import copy
import itertools
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..dialects.migrated import is_autocommit
from ..dialects.migrated import is_usable

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    from ..dialects.server_defaults import Defaults

    #: What Alembic's query depends on.
    Key: t.TypeAlias = tuple[t.Any, ...]
    Question: t.TypeAlias = sa.Select[t.Any]

#: PostgreSQL's limit is 1,664 expressions in a query.
_BATCH = 1000


class Questions:
    """The queries of one comparison, and the server's answers.

    :param impl: Alembic's implementation for the database.
    :param defaults: How the database shows server defaults.
    """

    def __init__(self, impl: DefaultImpl, defaults: Defaults) -> None:
        self._impl = impl
        self._defaults = defaults
        self._open: dict[Key, Question] = {}
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

        arg = t.cast("sa.DefaultClause", column.server_default).arg
        is_generated = column is column.table.autoincrement_column
        key = (found, new, isinstance(arg, str), type(inspected.type), is_generated)

        if key not in self._open and key not in self._answers:
            recorder = _Recorder()
            asking: t.Any = copy.copy(self._impl)
            asking.connection = recorder
            # Before Alembic 1.18, the object has another one of its own.
            compare = type(asking).compare_server_default
            is_changed = compare(asking, inspected, column, new, found)

            if recorder.question is None:
                return bool(is_changed)

            self._open[key] = recorder.question

        return key

    def answers(self, connection: sa.Connection) -> c.Mapping[Key, bool]:
        """Send what has not been asked yet, and return which defaults are equal.

        :param connection: The connection to the database.
        :raises DBAPIError: The error that Alembic's query would raise.
        """
        answers = _ask(connection, [*self._open.values()]) if self._open else []
        self._answers.update(zip(self._open, map(bool, answers), strict=True))
        self._open.clear()
        return self._answers


class _Recorder:
    """Takes the place of a connection, to see what Alembic asks."""

    question: Question | None = None

    def scalar(self, question: Question) -> None:
        self.question = question


def _ask(connection: sa.Connection, questions: list[Question]) -> list[t.Any]:
    # In autocommit mode, an error has no effect on what follows.
    is_safe = is_autocommit(connection)

    try:
        with contextlib.nullcontext() if is_safe else connection.begin_nested():
            return [*itertools.chain(*_ask_at_once(connection, questions))]
    except DBAPIError:
        if not is_usable(connection):
            raise

    # This raises the error that Alembic would, with the default in question.
    return [connection.scalar(question) for question in questions]


def _ask_at_once(
    connection: sa.Connection, questions: list[Question]
) -> c.Iterator[sa.Row[t.Any]]:
    # It is sent only once, and must not take the place of others.
    options = {"compiled_cache": None}

    for start in range(0, len(questions), _BATCH):
        batch = questions[start : start + _BATCH]
        query = sa.select(*(question.scalar_subquery() for question in batch))
        yield connection.execute(query, execution_options=options).one()
