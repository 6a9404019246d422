"""Models and databases that are compared by this package and by Alembic itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncEngine

from ..harness import AnyEngine
from ..harness import Caller


def differences_by_alembic(
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

    return flat


def _shown(item: Any) -> str:
    if isinstance(item, dict):
        return str({key: _shown(value) for key, value in item.items()})

    if isinstance(item, sa.DefaultClause):
        return str(item.arg)

    if isinstance(item, sa.Table):
        return item.fullname

    if isinstance(item, sa.Constraint | sa.Index):
        return f"{type(item).__name__} {item.name} {[c.name for c in item.columns]}"

    return repr(item)


def statements_of(caller: Caller, engine: AnyEngine, statements: Iterable[str]) -> None:
    caller.execute(engine, *statements)


def dispose(caller: Caller, engine: AnyEngine) -> None:
    """End the connections, so that the next one sees new types."""
    if isinstance(engine, AsyncEngine):
        caller.run(engine.dispose())
    else:
        engine.dispose()
