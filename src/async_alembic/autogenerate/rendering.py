"""Renders SQL for revision files."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

from ..dialects.copies import for_files
from ..dialects.text_clauses import escaped

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.ddl.impl import DefaultImpl
    from alembic.runtime.migration import MigrationContext


@contextlib.contextmanager
def rendering(contexts: c.Iterable[MigrationContext]) -> c.Iterator[None]:
    """Render percent signs and colons as they are in models and database.

    Alembic renders with the dialect of the connection, which doubles percent signs for
    drivers that halve them. In a revision file, they are doubled when it is run.

    :param contexts: Alembic's migration contexts.
    """
    before = [(context, context.dialect) for context in contexts]

    for context, dialect in before:
        context.dialect = context.impl.dialect = for_files(dialect)

    try:
        yield
    finally:
        for context, dialect in before:
            context.dialect = context.impl.dialect = dialect


@contextlib.contextmanager
def writing(contexts: c.Collection[MigrationContext]) -> c.Iterator[None]:
    """Render SQL as ``sa.text()`` reads it, which makes parameters of some colons.

    :param contexts: Alembic's migration contexts.
    """
    impls: list[t.Any] = [context.impl for context in contexts]

    for impl in impls:
        impl.render_ddl_sql_expr = _escaping(impl)

    try:
        with rendering(contexts):
            yield
    finally:
        for impl in impls:
            del impl.render_ddl_sql_expr


def _escaping(impl: DefaultImpl) -> c.Callable[..., str]:
    render = impl.render_ddl_sql_expr

    def render_escaped(expr: sa.ClauseElement, **options: t.Any) -> str:
        sql = render(expr, **options)
        # Of an index, Alembic makes a literal_column(), which has no parameters.
        return sql if options.get("is_index") else escaped(sql)

    return render_escaped
