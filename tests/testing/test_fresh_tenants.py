"""Migrated tenants in, or beside, a fresh database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from async_alembic import Alembic
from async_alembic import FreshDatabaseError
from async_alembic.testing.copying.fresh_databases import FreshDatabase
from async_alembic.testing.tenants import FreshTenants

from ..backends import by_id
from ..backends import on
from ..harness import create_table
from ..harness import make_app
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from ..kits import Kit
from ..kits import kit as kit
from ..kits import METADATA


def fresh_database(kit: Kit, **options: Any) -> FreshDatabase:
    def factory(url: str) -> Any:
        app = make_app("quart", kit.root)
        engine = kit.engine(url)
        Alembic(app, metadatas=METADATA, engines=engine, **options)
        return app

    folder = kit.root / "tenant_migrations"
    write_revision(folder, "t1", None, create_table("invoice"))
    return kit.databases(factory=factory).make()


@on(ONE_OF_EACH_KIND)
def test_tenants_are_migrated_and_are_those_of_the_extension(kit: Kit) -> None:
    """The kit's fixture sees to it that none is left."""
    database = fresh_database(kit, tenants=dict)
    tenants = FreshTenants(database)

    async def main() -> list[str]:
        # A test may be a coroutine.
        return tenants.make(2)

    names = asyncio.run(main()) + tenants.make(1)
    assert len({*names}) == 3

    async def states() -> dict[str, str]:
        results = database.fresh_app.extension.status_of_tenants()  # type: ignore[attr-defined]
        return {result.tenant: result.value.state async for result in results}

    assert asyncio.run(states()) == dict.fromkeys(names, "current")
    tenants.drop()
    database.close()


@on([by_id("sqlite-aiosqlite")])
def test_an_app_without_tenants_is_told(kit: Kit) -> None:
    database = fresh_database(kit)

    with pytest.raises(FreshDatabaseError, match="has no tenants"):
        FreshTenants(database).make(1)

    database.close()


@on([by_id("sqlite-memory-aiosqlite")])
def test_tenants_need_files(kit: Kit) -> None:
    database = fresh_database(kit, tenants=dict)

    with pytest.raises(FreshDatabaseError, match="need databases in files"):
        FreshTenants(database).make(1)

    database.close()
