"""Compares how much of a text is in an index, which Alembic overlooks."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl


@contextlib.contextmanager
def comparing_lengths(impl: DefaultImpl) -> c.Iterator[None]:
    """Let comparisons of indexes see the lengths of their prefixes.

    :param impl: Alembic's implementation for MySQL and MariaDB.
    """
    replaced: t.Any = impl
    compare = replaced.compare_indexes

    def compare_indexes(new: sa.Index, found: sa.Index) -> t.Any:
        result = compare(new, found)

        if result.is_equal and _lengths(new, impl) != _lengths(found, impl):
            return type(result).Different("lengths of its prefixes")

        return result

    # Alembic has no way to compare more of an index.
    replaced.compare_indexes = compare_indexes

    try:
        yield
    finally:
        del replaced.compare_indexes


def _lengths(index: sa.Index, impl: DefaultImpl) -> dict[str, int]:
    """Return the lengths by column. Those that the server leaves out are left out."""
    option: t.Any = index.dialect_options[impl.dialect.name]["length"]
    lengths: dict[str, int] = {}

    for column in index.columns:
        length = option.get(column.name) if isinstance(option, dict) else option

        if length and length < (getattr(column.type, "length", None) or length + 1):
            lengths[column.name] = length

    return lengths
