"""Renders SQL for revision files."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

from ..dialects.copies import with_single_percent_signs

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


@contextlib.contextmanager
def rendering(contexts: c.Iterable[MigrationContext]) -> c.Iterator[None]:
    """Render percent signs as they are in the models.

    Alembic renders with the dialect of the connection, which doubles them for drivers
    that halve them. In a revision file, they are doubled when it is run.

    :param contexts: Alembic's migration contexts.
    """
    before = [(context, context.dialect) for context in contexts]

    for context, dialect in before:
        context.dialect = context.impl.dialect = with_single_percent_signs(dialect)

    try:
        yield
    finally:
        for context, dialect in before:
            context.dialect = context.impl.dialect = dialect
