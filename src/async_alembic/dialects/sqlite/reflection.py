"""What the user of a batch says of columns, beside what SQLAlchemy reflects."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ...errors import BatchError
from .tokens import fold

if t.TYPE_CHECKING:
    from alembic.operations.batch import BatchOperationsImpl

#: The arguments of ``alter_column`` by what a listener can change.
_ARGUMENTS = {"type": "type_", "nullable": "nullable", "default": "server_default"}


def given_columns(
    connection: sa.Connection, batch: BatchOperationsImpl
) -> dict[str, dict[str, t.Any]]:
    """Find how ``reflect_args`` and listeners for ``column_reflect`` change columns.

    :return: The arguments for ``alter_column``, by the folded names of the columns.
    :raises BatchError: For anything else that changes what is reflected.
    """
    options = {**batch.reflect_kwargs}
    # Alembic adds one of its own.
    listeners = [
        (event, listener)
        for event, listener in options.pop("listeners", [])
        if getattr(listener, "__name__", "") != "autogen_column_reflect"
    ]
    events = {event for event, _ in listeners} - {"column_reflect"}

    if unknown := sorted(options.keys() | events):
        raise _not_possible(batch, f"'{unknown[0]}' in reflect_kwargs has no effect")

    given = {}

    if listeners:
        inspector = sa.inspect(connection)
        table = sa.Table(batch.table_name, sa.MetaData(), schema=batch.schema)

        for column in reflect_columns(connection, batch):
            before = {key: repr(value) for key, value in column.items()}

            for _, listener in listeners:
                listener(inspector, table, column)

            changed = {k for k, value in column.items() if repr(value) != before.get(k)}

            if changed - _ARGUMENTS.keys():
                name = min(changed - _ARGUMENTS.keys())
                raise _not_possible(batch, f"a listener sets '{name}' of a column")

            given[fold(column["name"])] = {_ARGUMENTS[k]: column[k] for k in changed}

    for argument in batch.reflect_args:
        if isinstance(argument, sa.Column):
            default = argument.server_default
            given[fold(argument.name)] = {
                "type_": argument.type,
                "nullable": None if argument.primary_key else argument.nullable,
                "server_default": default.arg if default is not None else None,
            }

    return given


def reflect_columns(
    connection: sa.Connection, batch: BatchOperationsImpl
) -> list[dict[str, t.Any]]:
    found = sa.inspect(connection).get_columns(batch.table_name, batch.schema)
    return [dict(column) for column in found]


def _not_possible(batch: BatchOperationsImpl, reason: str) -> BatchError:
    return BatchError(
        str(batch.table_name),
        None,
        f"{reason} on SQLite, where a batch edits the CREATE TABLE statement",
        "Use alter_column() instead.",
    )
