"""What the kit makes of servers, files and names that are not its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import FreshDatabaseError
from async_alembic.testing.servers.base import PREFIX

from ..backends import by_id
from ..backends import on
from ..conftest import require
from ..kits import Kit
from ..kits import kit as kit
from ..kits import query
from ..servers import PgBouncer
from ..servers import PostgresServer

NOTES = "SELECT text FROM note"
on_servers = on([by_id("postgresql-asyncpg"), by_id("mariadb-pymysql")])


@pytest.fixture
def foreign(kit: Kit) -> Iterator[list[str]]:
    """Databases that begin like the kit's own, with a quote of each kind."""
    names = [f"{PREFIX}it's", f'{PREFIX}"_`', f"{PREFIX}deadbeef", f"{PREFIX}keep_x"]
    make_foreign(kit, names)

    yield names

    for name in names:
        drop_foreign(kit, name)


def quoted(kit: Kit, name: str) -> str:
    mark = "`" if kit.backend.database == "mariadb" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def make_foreign(kit: Kit, names: list[str]) -> None:
    for name in names:
        if kit.server is None:
            folder = Path(sa.make_url(kit.url).database or "")
            (folder / f"{name}.db").write_text("no database")
            (folder / f"{name}.lock").write_text("no database" * 100)
        else:
            kit.server.execute(f"CREATE DATABASE {quoted(kit, name)}")


def drop_foreign(kit: Kit, name: str) -> None:
    if kit.server is None:
        folder = Path(sa.make_url(kit.url).database or "")
        (folder / f"{name}.db").unlink()
        (folder / f"{name}.lock").unlink()
    else:
        kit.server.execute(f"DROP DATABASE {quoted(kit, name)}")


@on([by_id("sqlite-sqlite3"), by_id("postgresql-asyncpg"), by_id("mariadb-pymysql")])
def test_databases_that_only_begin_like_ours_are_let_alone(
    kit: Kit, foreign: list[str]
) -> None:
    database = kit.databases().make()
    assert query(database, NOTES) == [("first",)]
    kit.databases(kit.session(keep=True)).make().close()
    kit.databases().make().close()
    kit.close()
    assert {name.removesuffix(".db") for name in kit.names()} >= set(foreign)


@on_servers
def test_names_from_the_server_are_quoted(kit: Kit) -> None:
    """The database of the URL has a name that would end a quoted one."""
    assert kit.server is not None
    name = "test_a`b\"c'd"
    url = sa.make_url(kit.url).set(database=name)
    kit.server.execute(f"CREATE DATABASE {quoted(kit, name)}")

    try:
        kit.url = url.render_as_string(hide_password=False)
        database = kit.databases().make()
        assert query(database, NOTES) == [("first",)]
        database.close()
        kit.close()
    finally:
        kit.server.execute(f"DROP DATABASE {quoted(kit, name)}")


@pytest.fixture
def pooler(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    require(PgBouncer.missing())

    with PgBouncer(postgres_server, "session", database="postgres") as pooler:
        yield pooler


@on([by_id("postgresql-asyncpg"), by_id("postgresql-psycopg2")])
@pytest.mark.leaves_connections
@pytest.mark.parametrize("target", ["heads", "base"])
def test_a_pooler_that_ignores_the_name_is_refused(
    pooler: PgBouncer, kit: Kit, target: str
) -> None:
    """Tests would share one database, and nobody would notice."""
    url = pooler.url(sa.make_url(kit.url))
    kit.url = url.render_as_string(hide_password=False)

    with pytest.raises(
        FreshDatabaseError, match=f"'{PREFIX}.*' was created, .* is in 'postgres'"
    ):
        query(kit.databases().make(target), "SELECT 1")

    kit.close()


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
def test_an_engine_that_ignores_the_name_is_refused(kit: Kit) -> None:
    assert kit.server is not None
    engine = kit.engine

    def elsewhere(url: str) -> Any:
        make = create_async_engine if kit.backend.is_async else sa.create_engine
        name = {"asyncmy": "db"}.get(kit.backend.driver, "database")
        return make(url, connect_args={name: "information_schema"})

    kit.engine = elsewhere  # type: ignore[method-assign]

    with pytest.raises(FreshDatabaseError, match="is in 'information_schema'"):
        kit.databases().make()

    kit.engine = engine  # type: ignore[method-assign]


@on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
def test_files_that_are_not_plain_are_refused(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of SQLCipher, which begin with other bytes."""
    from async_alembic.testing.servers.sqlite import SQLiteServer

    publish = SQLiteServer.publish

    def encrypt(self: SQLiteServer, source: str, template: str) -> None:
        path = Path(self.url_of(source).database or "")
        path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
        publish(self, source, template)

    monkeypatch.setattr(SQLiteServer, "publish", encrypt)

    with pytest.raises(FreshDatabaseError, match="'sqlite3' cannot open them"):
        kit.databases().make()
