"""Differences between models and databases, as Alembic's tuples and in words."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from alembic.operations import ops

#: Plugins have statements in their tuples.
_MAX_LENGTH = 500


def differences_of(script: ops.MigrationScript) -> c.Iterator[t.Any]:
    """Yield the difference of each operation of an upgrade, as Alembic's ``as_diffs()``
    does, but also if a plugin has no tuple for it.
    """
    for operations in script.upgrade_ops_list:
        yield from map(difference_of, _flat(operations))


def difference_of(operation: ops.MigrateOperation) -> t.Any:
    """Return the tuple of an operation, or the list of its tuples."""
    try:
        return operation.to_diff_tuple()
    except NotImplementedError:
        return (type(operation).__name__.removesuffix("Op"),)


def describe(differences: t.Iterable[t.Any]) -> c.Iterator[str]:
    """Yield a line of text for each difference from :func:`compare_metadata`."""
    for difference in differences:
        if isinstance(difference, list):
            yield from describe(difference)
        else:
            kind, *items = difference
            subject = _subject(items)

            if kind in {"rename_column", "rename_table"}:
                subject = " to ".join(items)

            yield f"{str(kind).replace('_', ' ')} {subject}".rstrip()


def _flat(operations: ops.OpContainer) -> c.Iterator[ops.MigrateOperation]:
    for operation in operations.ops:
        if isinstance(operation, ops.OpContainer):
            yield from _flat(operation)
        else:
            yield operation


def _subject(items: list[t.Any]) -> str:
    """Return what a difference is about. The tuples of plugins can have anything."""
    match items:
        # Of a column that is added or removed, and of one that is changed.
        case [_, str(table), sa.Column(name=column)]:
            return f"{table}.{column}"
        case [_, str(table), str(column), dict(), _, _]:
            return f"{table}.{column}"
        case [sa.Table() as item, *_]:
            return item.name
        case [(sa.Constraint() | sa.Index()) as item, *_]:
            name = str(item.name or "without a name")
            owner: sa.Table | None = getattr(item, "table", None)
            return name if owner is None else f"{name} on {owner.name}"

    return " ".join(" ".join(map(str, items)).split())[:_MAX_LENGTH]
