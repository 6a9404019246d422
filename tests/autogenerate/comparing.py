"""What this package finds different, beside what Alembic itself does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ..harness import AnyEngine
from ..harness import Caller


def alembics_differences(
    caller: Caller, engine: AnyEngine, metadata: sa.MetaData, **options: Any
) -> list[str]:
    """What Alembic's own ``compare_metadata()`` finds, as text."""
    options = {"compare_server_default": True, **options}

    def compare(connection: sa.Connection) -> Any:
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, metadata)

    return shown(caller.begin(engine, compare))


def shown(differences: Iterable[Any]) -> list[str]:
    """Differences as text, as their objects have no equality."""
    flat: list[str] = []

    for difference in differences:
        if isinstance(difference, list):
            flat += shown(difference)
        else:
            flat.append(" ".join(map(_shown, difference)))

    return sorted(flat)


def _shown(item: Any) -> str:
    match item:
        case dict():
            return str({key: _shown(value) for key, value in item.items()})
        case sa.DefaultClause():
            return str(item.arg)
        case sa.Identity() | sa.Computed():
            return type(item).__name__
        case sa.Table():
            return item.fullname
        case sa.Column():
            return f"{item.name} {item.type!r} {_shown(item.server_default)}"
        case sa.UniqueConstraint() | sa.ForeignKeyConstraint() | sa.Index():
            columns = [column.name for column in item.columns]
            return f"{type(item).__name__} {item.name} {columns}"

    return repr(item)
