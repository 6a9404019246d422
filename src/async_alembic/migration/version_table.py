"""Alembic's table of the current revisions, as a migration writes it."""

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

if t.TYPE_CHECKING:
    from .environment import Environment

_quoted = re.compile("'([^']*)'")


@contextlib.contextmanager
def qualified_version_table(env: Environment, name: str) -> c.Iterator[None]:
    """Make Alembic name the schema of the version table, so that no search path of a
    revision leads to another one.

    :param env: The open databases.
    :param name: The name of a database whose place was found.
    """
    context, schema = env.contexts[name], env.version_schema(name)
    # Alembic creates the table itself, in the constructor.
    before = context.version_table_schema, context._version
    context.version_table_schema = schema

    # SQLAlchemy translates the schema of a table that has none as well.
    if env.translated_schema(name, None) is None:
        context._version = context.impl.version_table_impl(
            version_table=context.version_table,
            version_table_schema=schema,
            version_table_pk=context.opts.get("version_table_pk", True),
        )

    try:
        yield
    finally:
        context.version_table_schema, context._version = before


@contextlib.contextmanager
def cached_version_update(
    connection: sa.Connection, version_table: str
) -> c.Iterator[None]:
    """Make a connection compile the update at the end of each revision once, with the
    ids as parameters. Alembic writes them as literals, and compiling each update takes
    longer than many revisions do.

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
