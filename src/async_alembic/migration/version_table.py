"""Alembic's table of the current revisions, as a migration writes it."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa

from ..dialects import VERSION_UPDATE

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from .environment import Environment


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
def reused_version_update(context: MigrationContext) -> c.Iterator[None]:
    """Make Alembic execute one statement at the end of each revision, with the ids as
    parameters. It would build and compile another update each time, which takes longer
    than many revisions do.

    :param context: The migration context of a database.
    """
    # There's no public way to get the table.
    table = context._version
    update = table.update().values(version_num=sa.bindparam("next_id"))
    update = update.where(table.c.version_num == sa.bindparam("last_id"))
    update = update.execution_options(**{VERSION_UPDATE: True})
    # Alembic creates the table itself, so there is no class to extend.
    table.update = lambda: _RevisionUpdate(update)  # type: ignore[method-assign, return-value, assignment]

    try:
        yield
    finally:
        del table.update


class _RevisionUpdate:
    """Alembic's update from one revision to the next: takes what Alembic calls, which
    has the ids as literals.

    :param update: The statement with parameters.
    """

    def __init__(self, update: sa.Update) -> None:
        self._update = update
        self._ids: dict[str, str] = {}

    def values(self, version_num: sa.ColumnClause[t.Any]) -> _RevisionUpdate:
        self._ids["next_id"] = version_num.name.strip("'")
        return self

    def where(self, is_last: sa.BinaryExpression[t.Any]) -> _RevisionUpdate:
        last_id = t.cast("sa.ColumnClause[t.Any]", is_last.right)
        self._ids["last_id"] = last_id.name.strip("'")
        return self

    # There's no public way to be executed.
    def _execute_on_connection(
        self, connection: sa.Connection, *args: t.Any
    ) -> sa.CursorResult[t.Any]:
        return connection.execute(self._update, self._ids)
