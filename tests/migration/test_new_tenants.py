"""Tenants whose databases are created, as copies of a template or not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import ConfigurationError
from async_alembic import TargetError

from ..backends import Backend
from ..backends import by_id
from ..backends import DatabaseFactory
from ..backends import on
from ..backends import SHARED_BACKENDS
from ..direct import blocking_url
from ..direct import execute
from ..harness import Caller
from ..harness import create_table
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from ..tenant_sites import on_schemas
from ..tenant_sites import Site
from ..tenant_sites import site as site

on_copied = on(
    [
        backend
        for backend in SHARED_BACKENDS
        if backend.database in {"sqlite", "postgresql"}
    ]
)
on_postgresql = on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])


class Shop:
    """An app with a tenant ``template``, and a new one whose database is missing."""

    def __init__(self, folder: Path, url: sa.URL) -> None:
        # A driver must not take it for a parameter.
        new = f"test_{uuid4().hex}: 100%"
        path = f"{folder}/{new}.db"
        is_file = url.get_backend_name() == "sqlite"
        self.folder = folder
        self.urls = {"template": url, "new": url.set(database=path if is_file else new)}
        self.app = make_app("flask", folder)
        self.alembic = Alembic(
            self.app,
            metadatas=sa.MetaData(),
            tenants=lambda: self.urls,
            tenant_metadatas=sa.MetaData(),
        )
        versions = folder / "tenant_migrations"
        write_revision(versions, "a1", None, create_table("users"))
        write_revision(versions, "b2", "a1", create_table("posts"))

    def drop(self) -> None:
        if self.urls["template"].get_backend_name() != "sqlite":
            self.execute(f"DROP DATABASE IF EXISTS {self.quoted(self.urls['new'])}")

    def quoted(self, url: sa.URL) -> str:
        mark = '"' if url.get_backend_name() == "postgresql" else "`"
        return f"{mark}{url.database}{mark}"

    def execute(self, statement: str) -> None:
        """Execute a statement outside of a transaction, in the template."""
        engine = sa.create_engine(
            blocking_url(self.urls["template"]),
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
            execution_options={"no_parameters": True},
        )

        with engine.connect() as connection:
            connection.exec_driver_sql(statement)


@pytest.fixture
def shop(
    backend: Backend, database_factory: DatabaseFactory, tmp_path: Path
) -> Iterator[Shop]:
    shop = Shop(tmp_path, database_factory(backend))
    yield shop
    shop.drop()


@on(SHARED_BACKENDS)
def test_a_database_is_created_under_its_name(shop: Shop, caller: Caller) -> None:
    assert ids(caller(shop.alembic, "create_tenant", "new")) == ["a1", "b2"]
    assert execute(shop.urls["new"], "SELECT version_num FROM alembic_version") == [
        ("b2",)
    ]


@on_copied
def test_a_new_tenant_is_a_copy_of_a_template(shop: Shop, caller: Caller) -> None:
    caller(shop.alembic.with_options(tenant="template"), "upgrade", "a1")
    execute(shop.urls["template"], "INSERT INTO users (id) VALUES (5)")
    applied = caller(shop.alembic, "create_tenant", "new", template="template")
    assert ids(applied) == ["b2"]
    assert execute(shop.urls["new"], "SELECT id FROM users") == [(5,)]
    assert execute(shop.urls["template"], "SELECT * FROM alembic_version") == [("a1",)]


@on_copied
def test_a_tenant_that_exists_is_not_replaced_by_a_copy(
    shop: Shop, caller: Caller
) -> None:
    caller(shop.alembic, "create_tenant", "new")
    execute(shop.urls["new"], "INSERT INTO users (id) VALUES (5)")
    caller(shop.alembic.with_options(tenant="template"), "upgrade")
    assert caller(shop.alembic, "create_tenant", "new", template="template") == []
    assert execute(shop.urls["new"], "SELECT id FROM users") == [(5,)]


@on(SHARED_BACKENDS)
def test_several_create_a_database_at_once(shop: Shop) -> None:
    assert _create_at_once(shop.alembic, None) == [[], [], [], [], ["a1", "b2"]]


@on_copied
def test_several_copy_a_database_at_once(shop: Shop) -> None:
    shop.alembic.sync.with_options(tenant="template").upgrade("a1")
    assert _create_at_once(shop.alembic, "template") == [[], [], [], [], ["b2"]]


@on_schemas
def test_several_create_a_schema_at_once(site: Site) -> None:
    assert _create_at_once(site.alembic, None) == [[], [], [], [], ["a1", "b2"]]


def _create_at_once(alembic: Alembic, template: str | None) -> list[list[str]]:
    def create(number: int) -> list[str]:
        return ids(alembic.sync.create_tenant("new", template=template))

    with ThreadPoolExecutor(5) as pool:
        return sorted(pool.map(create, range(5)))


@on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
def test_a_copy_that_fails_leaves_no_file(shop: Shop, caller: Caller) -> None:
    Path(str(shop.urls["template"].database)).write_text("This is no database. " * 99)

    with pytest.raises(Exception, match="file is not a database"):
        caller(shop.alembic, "create_tenant", "new", template="template")

    assert [path.stem for path in shop.folder.glob("*.db*")] == [
        Path(str(shop.urls["template"].database)).stem
    ]


@on_postgresql
def test_a_template_that_somebody_works_with_is_not_copied(
    shop: Shop, caller: Caller
) -> None:
    engine = sa.create_engine(
        blocking_url(shop.urls["template"]), poolclass=sa.NullPool
    )

    with engine.connect(), pytest.raises(ConfigurationError) as raised:
        caller(shop.alembic, "create_tenant", "new", template="template")

    assert str(raised.value) == (
        f"The database '{shop.urls['template'].database}' cannot be copied while others"
        " are connected to it. Use a template that nobody works with."
    )


@on_postgresql
def test_a_copy_has_the_settings_of_its_template(shop: Shop, caller: Caller) -> None:
    """PostgreSQL does not copy those of ALTER DATABASE."""
    template = shop.quoted(shop.urls["template"])
    shop.execute(f"ALTER DATABASE {template} SET work_mem = '7MB'")
    caller(shop.alembic, "create_tenant", "new", template="template")
    assert execute(shop.urls["new"], "SHOW work_mem") == [("7MB",)]


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
def test_mariadb_copies_no_database(shop: Shop, caller: Caller) -> None:
    with pytest.raises(ConfigurationError, match="'mysql' cannot be copied. Leave"):
        caller(shop.alembic, "create_tenant", "new", template="template")


@on_schemas
def test_schemas_are_not_copied(site: Site, caller: Caller) -> None:
    with pytest.raises(ConfigurationError, match="schemas, which cannot be copied"):
        caller(site.alembic, "create_tenant", "hooli", template="acme")


@pytest.mark.parametrize(
    ("database", "message"),
    [
        ("postgresql://127.0.0.1:1/new", "is on another server"),
        ("sqlite://", "to a file only, not to ''"),
        ("sqlite:///file:new.db?uri=true", "not to 'file:new.db'"),
    ],
)
@on([by_id("sqlite-sqlite3")])
def test_a_copy_that_cannot_be_made_is_refused(
    shop: Shop, caller: Caller, database: str, message: str
) -> None:
    shop.urls["new"] = sa.make_url(database)

    with pytest.raises((TargetError, ConfigurationError), match=message):
        caller(shop.alembic, "create_tenant", "new", template="template")


@on_postgresql
def test_an_engine_does_not_tell_where_a_copy_belongs(
    shop: Shop, caller: Caller
) -> None:
    urls: dict[str, Any] = {**shop.urls}
    urls["new"] = sa.create_engine(blocking_url(shop.urls["new"]))
    app = make_app("flask", shop.folder)
    alembic = Alembic(app, tenants=urls)

    with pytest.raises(TargetError, match="Give its URL in 'tenants'"):
        caller(alembic, "create_tenant", "new", template="template")


@on_copied
def test_a_template_that_is_unknown_is_named(shop: Shop, caller: Caller) -> None:
    with pytest.raises(TargetError, match="no tenant 'templat'. Did you mean 'temp"):
        caller(shop.alembic, "create_tenant", "new", template="templat")
