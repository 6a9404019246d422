"""Changes what comparisons see of the columns of a database."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.ddl.impl import DefaultImpl

    #: Changes the details of a column of a table.
    Reflect: t.TypeAlias = c.Callable[[sa.Inspector, sa.Table, dict[str, t.Any]], None]


@contextlib.contextmanager
def reflecting_columns(
    impl: DefaultImpl,
    change: c.Callable[[Reflect, sa.Inspector, sa.Table, dict[str, t.Any]], None],
) -> c.Iterator[None]:
    """Let comparisons see columns as a function makes them.

    :param impl: Alembic's implementation for the database.
    :param change: Takes what Alembic does with a column, and the column.
    """
    replaced: t.Any = impl
    reflect: Reflect = replaced.autogen_column_reflect

    def autogen_column_reflect(
        inspector: sa.Inspector, table: sa.Table, column: dict[str, t.Any]
    ) -> None:
        change(reflect, inspector, table, column)

    replaced.autogen_column_reflect = autogen_column_reflect

    try:
        yield
    finally:
        del replaced.autogen_column_reflect
