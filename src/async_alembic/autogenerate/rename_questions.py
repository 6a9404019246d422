"""What may have been renamed: it went, while one of the same shape came."""

from __future__ import annotations

import collections.abc as c
import difflib
import logging
import typing as t

from alembic.operations import ops
from sqlalchemy.exc import CompileError

from ..errors import ConfigurationError
from ..errors import RevisionError
from .plugins import HAS_PLUGINS
from .rename_operations import as_argument
from .rename_operations import Renamed
from .rename_operations import RenamedColumnOp
from .rename_operations import RenamedTableOp
from .rename_operations import RenameQuestionOp

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.ddl.impl import DefaultImpl

    from .renames import Renames

    #: What drops something, and what would rename it instead.
    Candidate: t.TypeAlias = tuple[ops.MigrateOperation, Renamed]

log: logging.Logger = logging.getLogger("async_alembic")


def check_renames(arguments: c.Collection[str]) -> None:
    """Check what the user says, as far as it can be without a database."""
    for argument in arguments:
        if not all(parts := argument.split(":")) or len(parts) != 2:
            raise RevisionError(
                f"'{argument}' does not say what to rename. Write 'old:new' for a"
                " table, and 'table.old:new' for a column."
            )

        if not HAS_PLUGINS:
            raise ConfigurationError("To rename, Alembic 1.18 or later is needed.")

    old_names: set[str] = set()
    new_names: set[str] = set()

    for argument in dict.fromkeys(arguments):
        old, _, new = argument.partition(":")
        new = f"{old.rpartition('.')[0]}.{new}".lstrip(".")

        if old in old_names or new in new_names:
            raise RevisionError(
                f"'{argument}' contradicts another one: a name can be given, or taken"
                " away, once."
            )

        old_names.add(old)
        new_names.add(new)


def check_found(arguments: c.Iterable[str], renames: c.Iterable[Renames]) -> None:
    """Check that each of them was found in a database."""
    found = {argument for each in renames for argument in each.found}

    if missing := [argument for argument in arguments if argument not in found]:
        old, _, new = missing[0].partition(":")
        raise RevisionError(
            f"No database has a table or a column '{old}', so it cannot be renamed to"
            f" '{new}'."
        )


def find_renames(container: ops.OpContainer, impl: DefaultImpl) -> list[Renamed]:
    """Return what may have been renamed, if it can be.

    :param container: The operations that were detected.
    :param impl: Alembic's implementation for the database.
    """
    if not HAS_PLUGINS:
        return []

    return [
        operation
        for operations in [container.ops, *_tables(container)]
        for _, operation in _candidates(operations, impl)
    ]


def ask_about_renames(
    container: ops.OpContainer, impl: DefaultImpl, database: str
) -> None:
    """Ask about it in a comment, and in a warning.

    :param container: The operations that were detected.
    :param impl: Alembic's implementation for the database.
    :param database: The name of the database.
    """
    asked = []

    for operations in [container.ops, *_tables(container)]:
        for drop, rename in [*_candidates(operations, impl)]:
            operations.insert(operations.index(drop), RenameQuestionOp(rename))
            asked.append(as_argument(rename))

    if asked:
        log.warning(
            "The revision drops from database '%s' what may have been renamed, with its"
            " data. If so, remove the revision, and generate it again with: %s.",
            database,
            " ".join(f"--rename {argument}" for argument in asked),
        )


def _tables(container: ops.OpContainer) -> list[list[ops.MigrateOperation]]:
    return [op.ops for op in container.ops if isinstance(op, ops.ModifyTableOps)]


def _candidates(
    operations: c.Sequence[ops.MigrateOperation], impl: DefaultImpl
) -> c.Iterator[Candidate]:
    added = [op for op in operations if isinstance(op, ops.AddColumnOp)]
    created = [op for op in operations if isinstance(op, ops.CreateTableOp)]

    for drop in operations:
        if isinstance(drop, ops.DropTableOp):
            table = drop.to_table()
            alike = [
                op
                for op in created
                if op.schema == drop.schema
                and _is_same_table(table, op.to_table(), impl)
            ]

            if alike:
                new = max(alike, key=lambda op: _likeness(table.name, op.table_name))
                created.remove(new)
                key = drop.schema, drop.table_name
                yield drop, RenamedTableOp(key, new.table_name)

        elif isinstance(drop, ops.DropColumnOp):
            column = drop.to_column()
            same = [
                op
                for op in added
                if (column.computed, op.column.computed) == (None, None)
                and _has_same_type(column, op.column, impl)
            ]

            if same:
                best = max(same, key=lambda op: _likeness(column.name, op.column.name))
                added.remove(best)
                key = drop.schema, drop.table_name
                yield drop, RenamedColumnOp(key, column.name, best.column.name, column)


def _is_same_table(old: sa.Table, new: sa.Table, impl: DefaultImpl) -> bool:
    columns = {column.name: column for column in new.columns}
    return {column.name for column in old.columns} == {*columns} and all(
        _has_same_type(column, columns[column.name], impl) for column in old.columns
    )


def _has_same_type(
    old: sa.Column[t.Any], new: sa.Column[t.Any], impl: DefaultImpl
) -> bool:
    try:
        return not impl.compare_type(old, new)
    except CompileError:
        # On SQLite, a column may have none.
        return False


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
