"""Speeds up Alembic's update of the version table at the end of each revision.

Alembic writes the ids into it as literals, so SQLAlchemy compiles it for each revision.
That takes longer than many revisions do.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import re
import typing as t

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.sql import operators
from sqlalchemy.sql import visitors

from ..dialects import VERSION_UPDATE

_quoted = re.compile("'([^']*)'")


@contextlib.contextmanager
def cached_version_update(
    connection: sa.Connection, version_table: str
) -> c.Iterator[None]:
    """Make a connection compile the update once, with the ids as parameters.

    :param connection: The connection.
    :param version_table: The name of the version table.
    """
    update_of = functools.cache(_parametrized_update)

    def replace(
        connection: sa.Connection,
        statement: t.Any,
        multiparams: t.Any,
        params: t.Any,
        options: t.Any,
    ) -> tuple[t.Any, t.Any, t.Any]:
        table = statement.table if isinstance(statement, sa.Update) else None

        if isinstance(table, sa.Table) and table.name == version_table:
            if (ids := _extract_ids(statement)) is not None:
                return update_of(table), multiparams, ids

        return statement, multiparams, params

    event.listen(connection, "before_execute", replace, retval=True)

    try:
        yield
    finally:
        event.remove(connection, "before_execute", replace)


def _parametrized_update(table: sa.Table) -> sa.Update:
    """Return an update from one revision to the next."""
    update = table.update().values(version_num=sa.bindparam("next_id"))
    update = update.where(table.c.version_num == sa.bindparam("last_id"))
    return update.execution_options(**{VERSION_UPDATE: True})


def _extract_ids(statement: sa.Update) -> dict[str, str] | None:
    """Return the ids in Alembic's update; ``None`` if it is another statement."""
    match [*visitors.iterate(statement)]:
        case [
            sa.Update(),
            sa.Table(),
            sa.BinaryExpression(operator=operators.eq),
            sa.ColumnClause(is_literal=True, name=str(next_id)),
            sa.Column(name="version_num"),
            sa.ColumnClause(is_literal=True, name=str(last_id)),
        ]:
            if (to := _quoted.fullmatch(next_id)) and (
                at := _quoted.fullmatch(last_id)
            ):
                return {"next_id": to[1], "last_id": at[1]}

    return None
