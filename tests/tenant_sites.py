"""Apps whose tenants have schemas on PostgreSQL, and databases elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic

from .backends import Backend
from .backends import by_id
from .backends import DatabaseFactory
from .backends import EngineFactory
from .backends import on
from .direct import execute
from .harness import create_table
from .harness import make_app
from .harness import write_revision

NAMES = ["acme", "globex", "initech", "Umbrella: 2"]
on_each_database = on(
    [
        *(by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")),
        *(by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")),
        *(by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")),
    ]
)
on_schemas = on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])
on_one = on([by_id("sqlite-sqlite3")])


class Site:
    """An app whose tenants have schemas on PostgreSQL, and databases elsewhere."""

    def __init__(
        self,
        backend: Backend,
        engines: EngineFactory,
        database_factory: DatabaseFactory,
        root: Path,
        names: list[str] = NAMES,
        **config: Any,
    ) -> None:
        self.names = [*names]
        self.folder = root / "tenant_migrations"
        self.app = make_app("flask", root, **config)
        self.metadata = sa.MetaData()
        self.engine = engines(backend)
        self.urls = {}

        if backend.database == "postgresql":
            for name in names:
                self.execute(None, f'CREATE SCHEMA "{name}"')
        else:
            self.urls = {name: database_factory(backend) for name in names}

        self.alembic = Alembic(
            self.app,
            metadatas=self.metadata,
            engines=self.engine,
            tenants=self.tenants,
            tenant_metadatas=self.metadata,
        )
        write_revision(
            self.folder, "a1", None, create_table("users"), "op.drop_table('users')"
        )
        write_revision(
            self.folder, "b2", "a1", create_table("posts"), "op.drop_table('posts')"
        )

    async def tenants(self) -> Any:
        return self.urls or self.names

    def execute(self, name: str | None, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement in the database or the schema of a tenant."""
        if name is None or name not in self.urls:
            url = self.engine.url
            prefix = f'SET search_path TO "{name}"; ' if name else ""
            return execute(url, prefix + statement)

        return execute(self.urls[name], statement)

    def version(self, name: str) -> str:
        [[version]] = self.execute(name, "SELECT version_num FROM alembic_version")
        return str(version)


@pytest.fixture
def site(
    backend: Backend,
    engines: EngineFactory,
    database_factory: DatabaseFactory,
    tmp_path: Path,
) -> Site:
    return Site(backend, engines, database_factory, tmp_path)


def by_name(results: list[Any]) -> dict[str, Any]:
    found = {result.tenant: result for result in results}
    assert len(found) == len(results)
    return found
