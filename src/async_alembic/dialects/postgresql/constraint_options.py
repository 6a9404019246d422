"""Options of indexes and unique constraints that Alembic overlooks."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa
from alembic.ddl.impl import ComparisonResult

from . import index_texts

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    from ..schema_objects import Uniques

    Item = t.TypeVar("Item", sa.Index, sa.UniqueConstraint)
    Options: t.TypeAlias = tuple[object, ...]

#: The deferrable unique constraints, which SQLAlchemy reads like others.
_deferrable = sa.text(
    "SELECT n.nspname AS schema, r.relname AS table, k.conname AS name, k.condeferred"
    " FROM pg_constraint k JOIN pg_class r ON r.oid = k.conrelid"
    " JOIN pg_namespace n ON n.oid = r.relnamespace"
    " WHERE k.contype = 'u' AND k.condeferrable"
)


def complete(
    connection: sa.Connection,
    uniques: Uniques,
    schemas: c.Mapping[str | None, str | None],
) -> None:
    """Add to what was read of unique constraints whether they are deferrable.

    :param connection: The connection to the database.
    :param uniques: What was read, by schema and table.
    :param schemas: The real schemas, by their names in models.
    """
    if not any(uniques.values()):
        return

    default = connection.dialect.default_schema_name
    options = {
        (row.schema, row.table, row.name): {
            "deferrable": True,
            "initially": "DEFERRED" if row.condeferred else None,
        }
        for row in connection.execute(_deferrable)
    }

    for (schema, table), infos in uniques.items():
        real = schemas.get(schema, schema) or default

        for info in infos:
            found = options.get((real, table, info["name"]), {"deferrable": False})
            # Alembic passes these options to the constraint.
            info["dialect_options"] = {**info.get("dialect_options", {}), **found}


@contextlib.contextmanager
def compare_all(impl: DefaultImpl) -> c.Iterator[None]:
    """Let comparisons see all options.

    :param impl: Alembic's implementation for PostgreSQL.
    """
    replaced: t.Any = impl
    replaced.compare_indexes = _asking_the_server(
        impl, _compared(impl.compare_indexes, _index_options)
    )
    replaced.compare_unique_constraint = _compared(
        impl.compare_unique_constraint, _unique_options
    )

    try:
        yield
    finally:
        del replaced.compare_indexes, replaced.compare_unique_constraint


def _asking_the_server(
    impl: DefaultImpl, compare: c.Callable[[sa.Index, sa.Index], ComparisonResult]
) -> c.Callable[[sa.Index, sa.Index], ComparisonResult]:
    def compare_more(index: sa.Index, found: sa.Index) -> ComparisonResult:
        result = compare(index, found)
        connection = impl.connection

        if connection is None or not (_has_sql(found) or _has_classes(index, found)):
            return result

        is_same = index_texts.is_same(connection, index, found)

        if is_same is None:
            return result

        if not is_same:
            return ComparisonResult.Different("expressions or condition")

        if result.is_equal:
            return result

        return _compare_options(_index_options(index), _index_options(found))

    return compare_more


def _has_sql(index: sa.Index) -> bool:
    """Return whether there is SQL in an index, which the server rewrites."""
    columns = all(isinstance(item, sa.Column) for item in index.expressions)
    return not columns or index.dialect_options["postgresql"]["where"] is not None


def _has_classes(*indexes: sa.Index) -> bool:
    """Return whether an index has operator classes, some of which are the default."""
    return any(index.dialect_options["postgresql"].get("ops") for index in indexes)


def _compare_options(options: Options, found_options: Options) -> ComparisonResult:
    if options != found_options:
        return ComparisonResult.Different(f"options {found_options} to {options}")

    return ComparisonResult.Equal()


def _compared(
    compare: c.Callable[[Item, Item], ComparisonResult],
    options_of: c.Callable[[Item], Options],
) -> c.Callable[[Item, Item], ComparisonResult]:
    def compare_more(item: Item, found: Item) -> ComparisonResult:
        result = compare(item, found)

        # Nothing is known of those that Alembic has read itself.
        if getattr(found, "deferrable", True) is None or not result.is_equal:
            return result

        return _compare_options(options_of(item), options_of(found))

    return compare_more


def _index_options(index: sa.Index) -> Options:
    """Of a condition, the server tells whether it is the same."""
    options = index.dialect_options["postgresql"]
    using = options.get("using") or "btree"
    parameters = {str(k): str(v) for k, v in (options.get("with") or {}).items()}
    return (
        _include(options),
        str(using).lower(),
        sorted(parameters.items()),
        options.get("where") is not None,
    )


def _unique_options(unique: sa.UniqueConstraint) -> Options:
    initially = str(unique.initially or "").upper()
    return (
        _include(unique.dialect_options["postgresql"]),
        bool(unique.deferrable) or initially == "DEFERRED",
        initially == "DEFERRED",
    )


def _include(options: c.Mapping[str, t.Any]) -> list[str]:
    return [getattr(item, "name", item) for item in options.get("include") or ()]
