"""Fresh databases of apps that have several databases."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from async_alembic import Alembic
from async_alembic import FreshDatabaseError
from async_alembic.testing import fresh
from async_alembic.testing import fresh_database
from async_alembic.testing import FreshDatabase
from async_alembic.testing import History
from async_alembic.testing import RevisionData
from async_alembic.testing.checks import CheckFailedError
from async_alembic.testing.copying.fresh_databases import FreshDatabaseFactory
from async_alembic.testing.copying.shared_servers import SharedServers
from async_alembic.testing.servers.base import PREFIX

from ..backends import Backend
from ..backends import by_id
from ..conftest import require
from ..conftest import server_of
from ..harness import create_table
from ..harness import make_app
from ..harness import write_revision
from ..kits import server_url

NAMES = ("default", "events")
COLUMNS = "sa.Column('id', sa.Integer, primary_key=True)", "sa.Column('x', sa.Integer)"


def metadata_of(table: str) -> sa.MetaData:
    metadata = sa.MetaData()
    id = sa.Column("id", sa.Integer, primary_key=True)
    sa.Table(table, metadata, id, sa.Column("x", sa.Integer))
    return metadata


def metadatas_of() -> Any:
    return {"default": metadata_of("note"), "events": metadata_of("event")}


class Shop:
    """A project with the table "note" in one database, and "event" in another.

    :param root: Its folder.
    :param urls: Where databases are made, by the names of the two.
    """

    def __init__(self, root: Path, urls: dict[str, str]) -> None:
        self.migrations = root / "migrations"
        self.root = root
        self.urls = urls
        self.made: list[FreshDatabase] = []
        self.sessions: list[SharedServers] = []
        note, event = (create_table(name, *COLUMNS) for name in ("note", "event"))
        self.write("a1", None, note, event)

    def write(
        self,
        revision: str,
        after: str | None,
        note: str,
        event: str,
        down: tuple[str, str] = ("op.drop_table('note')", "op.drop_table('event')"),
    ) -> None:
        """Write a revision that has a body for each database."""
        functions = [
            f"def {direction}_{name}():\n    {body}\n"
            for direction, bodies in (("up", (note, event)), ("down", down))
            for name, body in zip(NAMES, bodies, strict=True)
        ]
        write_revision(
            self.migrations,
            revision,
            after,
            "globals()[f'up_{engine_name}']()",
            "globals()[f'down_{engine_name}']()",
            args="engine_name",
            top="".join(functions),
        )

    def app(self, urls: dict[str, str]) -> Any:
        app = make_app("quart", self.root)
        engines: Any = {name: engine_of(url) for name, url in urls.items()}
        Alembic(app, metadatas=metadatas_of(), engines=engines)
        return app

    def databases(
        self, factory: Any = None, *, keep: bool = False
    ) -> FreshDatabaseFactory:
        self.sessions.append(SharedServers(uuid4().hex, keep=keep))
        return self.sessions[-1].database_factory(factory or self.app, self.urls)

    def close(self) -> None:
        for database in self.made:
            database.close()

        for session in self.sessions:
            session.close()

        self.made.clear()
        self.sessions.clear()


def engine_of(url: str) -> Any:
    parsed = sa.make_url(url)
    make: Any = sa.create_engine

    if parsed.get_dialect().is_async:
        make = create_async_engine

    return make(url, **({} if parsed.database else {"poolclass": StaticPool}))


PAIRS = [
    ("sqlite-aiosqlite", "postgresql-asyncpg"),
    ("postgresql-asyncpg", "postgresql-asyncpg"),
    ("sqlite-memory-aiosqlite", "sqlite-memory-aiosqlite"),
    ("sqlite-memory-sqlite3", "sqlite-sqlite3"),
    ("mariadb-pymysql", "postgresql-psycopg2"),
]
FILES = ("sqlite-sqlite3", "sqlite-sqlite3")


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """The test fails if any database is left."""
    backends = [by_id(id) for id in getattr(request, "param", FILES)]
    servers = [server_of(backend, request) for backend in backends]
    folder = tmp_path / "databases"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    urls = [url_of(backend, request, folder) for backend in backends]
    shop = Shop(tmp_path / "project", dict(zip(NAMES, urls, strict=True)))
    yield shop
    shop.close()
    names = {name for server in servers if server for name in server.database_names()}
    names |= {path.name for path in folder.glob("*")}
    assert not [name for name in names if name.startswith(PREFIX)]


def url_of(backend: Backend, request: pytest.FixtureRequest, folder: Path) -> str:
    require(backend.missing)
    return server_url(backend, request, folder)


on_pairs = pytest.mark.parametrize("shop", PAIRS, indirect=True, ids="-".join)


def query(database: FreshDatabase, name: str, statement: str) -> list[Any]:
    def execute(access: Any) -> list[Any]:
        result = access.connections[name].exec_driver_sql(statement)
        rows = [tuple(row) for row in result] if result.returns_rows else []
        access.connections[name].commit()
        return rows

    return database.fresh_app.on_databases(execute)


@on_pairs
def test_each_test_has_all_of_them(shop: Shop) -> None:
    databases = shop.databases()

    for _ in range(3):
        database = databases.make()
        assert query(database, "default", "SELECT * FROM note") == []
        assert query(database, "events", "SELECT * FROM event") == []
        query(database, "default", "INSERT INTO note (id) VALUES (1)")
        query(database, "events", "INSERT INTO event (id) VALUES (2)")
        assert query(database, "default", "SELECT id FROM note") == [(1,)]
        assert query(database, "events", "SELECT id FROM event") == [(2,)]
        assert database.urls.keys() == {*NAMES}
        assert database.url == database.urls["default"]
        engine = (
            database.async_engine.sync_engine
            if isinstance(database.fresh_app.app_engines["default"], AsyncEngine)
            else database.engine
        )
        assert engine.url == sa.make_url(database.url)
        database.close()


@pytest.mark.parametrize("shop", PAIRS[1:3], indirect=True, ids="-".join)
def test_the_history_is_run_once(shop: Shop) -> None:
    marks = shop.root / "marks"
    mark = f"with open({str(marks)!r}, 'a') as f: f.write('x')"
    shop.write("b2", "a1", mark, mark, ("pass", "pass"))
    databases = shop.databases()

    for _ in range(3):
        database = databases.make()
        assert database.app is database.app
        database.close()

    # Once for each database.
    assert marks.read_text() == "xx"


def test_they_are_made_without_pytest(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.databases()
    monkeypatch.setattr(fresh, "_shared_servers", lambda: shop.sessions[-1])

    async def use() -> None:
        async with fresh_database(shop.urls, shop.app) as database:
            alembic: Any = database.alembic
            assert {*(await alembic.status())} == {*NAMES}
            assert not await alembic.needs_upgrade()

    asyncio.run(use())

    with fresh_database(shop.urls, shop.app, target="base") as database:
        assert database.fresh_app.run(lambda env: env.current("events")) == ()


def test_a_template_that_lacks_one_is_made_anew(shop: Shop) -> None:
    """The process that made it may have been killed in between."""

    def kept() -> dict[Path, int]:
        folder = Path(sa.make_url(shop.urls["default"]).database or "")
        return {
            path: path.stat().st_mtime_ns for path in folder.glob(f"{PREFIX}keep_*")
        }

    for _ in range(2):
        shop.databases(keep=True).make().close()
        shop.close()

    before = kept()
    assert len(before) == 2
    min(before).unlink()
    database = shop.databases(keep=True).make()
    assert query(database, "events", "SELECT * FROM event") == []
    database.close()
    shop.close()
    after = kept()
    assert after.keys() == before.keys()
    assert after[max(before)] != before[max(before)]
    shop.databases().make().close()


def history_of(shop: Shop) -> History:
    databases = shop.databases()

    def make(target: Any) -> FreshDatabase:
        shop.made.append(databases.make(target, in_memory=False))
        return shop.made[-1]

    return History(make)


@on_pairs
def test_nothing_is_wrong_with_a_sound_history(shop: Shop) -> None:
    history = history_of(shop)
    history.goes_up_from_base()
    history.goes_up_down_and_up()
    history.leaves_no_trace()
    history.matches_models()
    history.is_the_same_offline()
    history.goes_up_from_release("a1")


def test_what_is_wrong_in_either_is_found(shop: Shop) -> None:
    drop = "op.drop_table('note')"
    shop.write("b2", "a1", "pass", create_table("more"), ("pass", "pass"))
    history = history_of(shop)

    with pytest.raises(CheckFailedError, match="Revision b2 .* does not restore") as e:
        history.goes_up_down_and_up()

    assert "+ events: table more" in str(e.value)

    with pytest.raises(
        CheckFailedError, match="does not restore an empty database"
    ) as e:
        history.leaves_no_trace()

    assert "+ events: table more" in str(e.value)

    with pytest.raises(CheckFailedError, match="The models differ") as e:
        history.matches_models()

    assert "Database 'events':" in str(e.value)
    assert "Database 'default':" not in str(e.value)

    shop.write(
        "b2",
        "a1",
        "pass",
        "op.get_bind().exec_driver_sql('SELECT 1').one()",
        ("pass", "pass"),
    )

    with pytest.raises(CheckFailedError, match="Revision b2 .* needs a database"):
        history.is_the_same_offline()

    shop.write("b2", "a1", drop, "pass", ("pass", "pass"))

    with pytest.raises(CheckFailedError, match="Revision b2 .* does not restore") as e:
        history.goes_up_down_and_up()

    assert "- default: table note" in str(e.value)


def test_data_can_be_in_either(shop: Shop) -> None:
    shop.write(
        "b2", "a1", "pass", "op.execute('UPDATE event SET x = 2')", ("pass", "pass")
    )
    history = history_of(shop)
    rows = {"event": [{"id": 1, "x": 1}]}
    data = RevisionData(before=rows, after={"event": [{"x": 2}]}, database="events")
    history.keeps_data({"b2": data})
    data = RevisionData(before=rows, after=rows, database="events")

    with pytest.raises(CheckFailedError, match="table 'event' lacks rows"):
        history.keeps_data({"b2": data})

    with pytest.raises(CheckFailedError, match="no database 'orders'.* 'events'"):
        history.keeps_data({"b2": RevisionData(before=rows, database="orders")})


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            None,
            "If the app has several databases, use a dict with a server URL for each",
        ),
        (
            ["default"],
            "There is no server URL for the app's database 'events'. Use a dict",
        ),
        (
            ["default", "events", "x"],
            "is a server URL for 'x', but the app has no such",
        ),
    ],
)
def test_each_database_needs_a_server(
    shop: Shop, names: list[str] | None, sentence: str
) -> None:
    url = shop.urls["default"]
    shop.urls = url if names is None else dict.fromkeys(names, url)  # type: ignore[assignment]

    def make(urls: Any) -> Any:
        one = shop.root / "one.db"
        urls = {"default": urls} if isinstance(urls, str) else dict(urls)
        urls.setdefault("events", f"sqlite:///{one}")
        urls.pop("x", None)
        return shop.app(urls)

    with pytest.raises(FreshDatabaseError, match=sentence):
        shop.databases(make).make()

    assert not (shop.root / "one.db").exists()


def test_engines_may_be_made_when_the_app_starts(shop: Shop) -> None:
    not_yet: Any = lambda: None  # noqa: E731

    def make(urls: dict[str, str]) -> Any:
        app = make_app("quart", shop.root)
        Alembic(app, metadatas=metadatas_of(), engines=not_yet)
        return app

    database = shop.databases(make).make()
    assert query(database, "events", "SELECT * FROM event") == []
    database.close()
