"""Asks the server about all server defaults of a comparison in one query.

Alembic sends a query for each column whose default it cannot compare by its text. Here,
such a default counts as changed until all tables are compared. Then one query compares
all of them, and the operations for those that are equal are removed.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import copy
import itertools
import typing as t

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.exc import DBAPIError

from ..dialects import is_autocommit
from ..dialects import is_usable

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    #: What Alembic's query depends on.
    Key: t.TypeAlias = tuple[t.Any, ...]
    Question: t.TypeAlias = sa.Select[t.Any]

#: PostgreSQL's limit is 1,664 expressions in a query.
_BATCH = 1000


class Questions:
    """The queries of one comparison that are still to be sent."""

    def __init__(self) -> None:
        self._questions: dict[Key, Question] = {}
        #: By schema, table and column.
        self._columns: dict[tuple[str | None, str, str], Key] = {}

    def is_changed(
        self,
        impl: DefaultImpl,
        inspected: sa.Column[t.Any],
        column: sa.Column[t.Any],
        new: str,
        found: str,
    ) -> bool:
        """Return whether a default has changed, by Alembic's comparison; ``True`` until
        :meth:`settle` if Alembic would ask the server.

        :param impl: Alembic's implementation for the database.
        :param inspected: The column of the database.
        :param column: The column of the model.
        :param new: The default of the model, as SQL.
        :param found: The default of the database, as SQL.
        """
        arg = t.cast("sa.DefaultClause", column.server_default).arg
        is_generated = column is column.table.autoincrement_column
        key = (found, new, isinstance(arg, str), type(inspected.type), is_generated)

        if key not in self._questions:
            recorder = _Recorder()
            asking: t.Any = copy.copy(impl)
            asking.connection = recorder
            # Before Alembic 1.18, the object has another one of its own.
            compare = type(asking).compare_server_default
            is_changed = compare(asking, inspected, column, new, found)

            if recorder.question is None:
                return bool(is_changed)

            self._questions[key] = recorder.question

        table = inspected.table
        self._columns[table.schema, table.name, column.name] = key
        return True

    def settle(self, connection: sa.Connection, upgrade_ops: ops.UpgradeOps) -> None:
        """Send the queries, and remove the changes of defaults that are equal.

        :param connection: The connection to the database.
        :param upgrade_ops: The operations that Alembic has detected.
        """
        questions = [*self._questions.values()]
        answers = dict(zip(self._questions, _ask(connection, questions), strict=True))
        equal = {column for column, key in self._columns.items() if answers[key]}

        for table in [*upgrade_ops.ops]:
            if isinstance(table, ops.ModifyTableOps):
                _remove_changes(table, equal)

                if table.is_empty():
                    upgrade_ops.ops.remove(table)


class _Recorder:
    """Takes the place of a connection, to see what Alembic asks."""

    question: Question | None = None

    def scalar(self, question: Question) -> None:
        self.question = question


def _remove_changes(
    table: ops.ModifyTableOps, equal: c.Container[tuple[str | None, str, str]]
) -> None:
    for op in [*table.ops]:
        if isinstance(op, ops.AlterColumnOp):
            if (op.schema, op.table_name, op.column_name) in equal:
                op.modify_server_default = False

                if not op.has_changes():
                    table.ops.remove(op)


def _ask(connection: sa.Connection, questions: list[Question]) -> list[t.Any]:
    if not questions:
        return []

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
