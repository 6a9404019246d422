"""Compares the server defaults of PostgreSQL."""

from __future__ import annotations

import collections.abc as c
import contextlib
import json
import typing as t

from sqlalchemy.exc import DBAPIError

from ..migrated import is_usable
from ..server_defaults import Defaults
from ..verbatim import execute_verbatim
from .sqlstates import sqlstate

if t.TYPE_CHECKING:
    import sqlalchemy as sa

#: The server's limit is 1,664 expressions in a query.
_BATCH = 1000
#: What an expression names is not there: a sequence, a type, or their schema.
_MISSING = {"42P01", "42704", "3F000"}


class PostgreSQLDefaults(Defaults):
    """The planner computes what is constant, and calls no other functions. So a plan
    shows expressions in one spelling, also on replicas.
    """

    def __init__(self) -> None:
        super().__init__(synonyms={"current_timestamp": "now()"}, server_compares=True)

    def is_changed(
        self,
        inspected: sa.ColumnElement[t.Any],
        column: sa.Column[t.Any],
        new: str,
        found: str,
    ) -> bool | None:
        # As in Alembic, that of SERIAL is no difference.
        if column is column.table.autoincrement_column:
            return False

        return super().is_changed(inspected, column, new, found)

    def spelled(
        self, connection: sa.Connection, expressions: c.Sequence[str]
    ) -> list[str]:
        half = len(expressions) // 2

        if len(expressions) <= _BATCH:
            try:
                return _planned(connection, expressions)
            except DBAPIError as error:
                if not half and sqlstate(error.orig) in _MISSING:
                    return [*expressions]

                if not half or not is_usable(connection):
                    raise

        # The error is to be that of one expression.
        halves = expressions[:half], expressions[half:]
        return [text for some in halves for text in self.spelled(connection, some)]


def _planned(connection: sa.Connection, expressions: c.Sequence[str]) -> list[str]:
    query = f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT {', '.join(expressions)}"

    with _savepoint(connection):
        plan = execute_verbatim(connection, query).scalar_one()

    # Only some drivers read JSON by themselves.
    ((result),) = json.loads(plan) if isinstance(plan, str) else plan
    return t.cast("list[str]", result["Plan"]["Output"])


def _savepoint(
    connection: sa.Connection,
) -> contextlib.AbstractContextManager[object]:
    try:
        return connection.begin_nested()
    except DBAPIError:
        # In autocommit mode, an error has no effect on what follows.
        return contextlib.nullcontext()
