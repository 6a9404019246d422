"""Batch changes, and what they make of the statements that SQLite keeps."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import pytest

from async_alembic import MigrationError
from async_alembic.errors import BatchError

from ...twins import Twin
from .shops import batch
from .shops import run


def statements(twin: Twin) -> dict[str, str]:
    """What SQLite keeps, but the name of the table, which it quotes when it renames."""
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    file = twin.engine.url.database
    assert file is not None

    with contextlib.closing(sqlite3.connect(file)) as connection:
        found = dict(connection.execute(query).fetchall())

    for name in ("alembic_version", "sqlite_sequence"):
        found.pop(name, None)

    return {name: sql.replace('"shop"', "shop", 1) for name, sql in found.items()}


def change(twin: Twin, ddl: tuple[str, ...], *changes: str) -> dict[str, str]:
    """Change the table in a revision of its own, and return all statements."""
    twin.history(run(*ddl), "\n".join(changes))
    twin.upgrade()
    return statements(twin)


def refuse(twin: Twin, ddl: tuple[str, ...], *changes: str) -> BatchError:
    """Try to change the table, and return the error."""
    twin.history(run(*ddl))
    twin.upgrade()
    before = twin.dump()
    twin.history(run(*ddl), "\n".join(changes))

    with pytest.raises(MigrationError) as e:
        twin.upgrade()

    assert twin.dump() == before
    assert isinstance(e.value.__cause__, BatchError)
    return e.value.__cause__


def shop(*items: str) -> str:
    return f"CREATE TABLE shop ({', '.join(items)})"


def drop(*columns: str, **options: Any) -> str:
    return batch(*(f"drop_column({c!r})" for c in columns), **options)


ADD = batch("add_column(sa.Column('x', sa.Text))", recreate="always")
RENAME = batch("alter_column('a', new_column_name='z')")

BESIDE = "add_column(sa.Column('x', sa.Text), insert_after='b')"
NOTHING = "    pass"

#: The statement of the table, a change, and what is to come of it.
