"""Every way in which an app names its database and metadata."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ..backends import Backend
from ..backends import by_id
from ..backends import on
from ..harness import AnyEngine
from ..harness import Framework
from ..harness import make_app

SYNC, ASYNC = by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")
on_both_kinds = on([SYNC, ASYNC])


def metadata_of(*tables: str) -> sa.MetaData:
    metadata = sa.MetaData()

    for table in tables:
        sa.Table(table, metadata, sa.Column("id", sa.Integer, primary_key=True))

    return metadata


def tables_in(file: Path) -> set[str]:
    """The tables of a SQLite file, read past the engine, which may be the wrong one."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows}


class World:
    """An app, and a place for its database.

    :param root: The app's root.
    """

    def __init__(self, root: Path, framework: Framework) -> None:
        self.root = root
        self.app = make_app(framework, root)
        self.file = root / "shop.db"
        self.metadata = metadata_of("users")
        self.closing = contextlib.ExitStack()

    def url(self, backend: Backend) -> str:
        return f"{backend.drivername}:///{self.file}"

    def engine(self, backend: Backend, file: Path | None = None) -> AnyEngine:
        make = create_async_engine if backend.is_async else sa.create_engine
        engine: AnyEngine = make(f"{backend.drivername}:///{file or self.file}")
        return engine
