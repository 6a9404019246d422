"""Every example is run: its app by a test client, and its command line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from examples.flask_async import app as flask_async
from examples.flask_sync import app as flask_sync
from examples.notes import notes
from examples.tenants import app as tenants
from examples.two_databases import app as two_databases
from flask import Flask
from quart import Quart

from .backends import Backend
from .backends import by_id
from .backends import DatabaseFactory
from .backends import on
from .conftest import server_of
from .engines import disposing_engines
from .kits import server_url

EXAMPLES = Path(__file__).parent.parent / "examples"
aiosqlite = by_id("sqlite-aiosqlite")
asyncpg = by_id("postgresql-asyncpg")
on_sqlite_and_postgresql = on([aiosqlite, asyncpg])


def as_text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def run_cli(app: Flask | Quart, *args: str) -> Result:
    result = app.test_cli_runner().invoke(args=["db", *args])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def revisions_in(folder: str) -> int:
    return len(list((EXAMPLES / folder / "migrations").glob("*.py")))


@on_sqlite_and_postgresql
async def test_the_notes_app_migrates_itself_and_serves(
    backend: Backend, database_factory: DatabaseFactory
) -> None:
    app = notes.create_app(as_text(database_factory(backend)))

    async with app.test_app():
        client = app.test_client()
        posted = await client.post("/notes", form={"text": "<b>milk</b>"})
        assert posted.status_code == 302
        assert (await client.post("/notes", form={"text": " "})).status_code == 400

        (note,) = await (await client.get("/api/notes")).get_json()
        assert (note["text"], note["done"]) == ("<b>milk</b>", False)

        assert (await client.post(f"/notes/{note['id']}/done")).status_code == 302
        assert (await client.post("/notes/12345/done")).status_code == 404

        (note,) = await (await client.get("/api/notes")).get_json()
        assert note["done"] is True

        page = await (await client.get("/")).get_data(as_text=True)
        assert "&lt;b&gt;milk&lt;/b&gt;" in page
        assert 'class="done"' in page


@on_sqlite_and_postgresql
async def test_the_notes_app_tells_when_it_is_ready(
    backend: Backend, database_factory: DatabaseFactory
) -> None:
    app = notes.create_app(as_text(database_factory(backend)))
    alembic = app.extensions["alembic"]
    assert await ready(app) == (503, {"database": "empty", "pending": 3})

    async with app.test_app():
        assert await ready(app) == (200, {"database": "current"})

        await alembic.downgrade()
        assert await ready(app) == (503, {"database": "behind", "pending": 1})

        await alembic.op.execute("UPDATE alembic_version SET version_num = 'newer'")
        assert await ready(app) == (503, {"database": "ahead", "pending": 0})


async def test_the_notes_app_is_not_ready_while_its_database_is_out_of_reach(
    database_factory: DatabaseFactory, request: pytest.FixtureRequest
) -> None:
    """Also where the pool has a connection from before, which is lost by now."""
    app = notes.create_app(as_text(database_factory(asyncpg)))
    server = server_of(asyncpg, request)
    assert server is not None

    async with app.test_app():
        assert await ready(app) == (200, {"database": "current"})
        server.stop()

        for _ in range(2):
            assert await ready(app) == (503, {"database": "unreachable"})

        server.start()
        assert await ready(app) == (200, {"database": "current"})


async def ready(app: Quart) -> tuple[int, Any]:
    response = await app.test_client().get("/ready")
    return response.status_code, await response.get_json()


@on_sqlite_and_postgresql
def test_the_notes_app_goes_up_and_down_its_history(
    backend: Backend, database_factory: DatabaseFactory
) -> None:
    """Its revisions were generated on SQLite and are run on PostgreSQL as well."""
    app = notes.create_app(as_text(database_factory(backend)))
    assert run_cli(app, "current", "--check-heads").exit_code == 1

    upgraded = run_cli(app, "upgrade").output.splitlines()
    assert len(upgraded) == revisions_in("notes/notes") == 3
    assert "(head)" in run_cli(app, "current", "--check-heads").output
    assert run_cli(app, "check").output == "No changes detected.\n"
    assert len(run_cli(app, "log").output.splitlines()) == 3

    assert len(run_cli(app, "downgrade", "base").output.splitlines()) == 3
    assert run_cli(app, "current").output == ""


def test_the_notes_app_takes_its_database_from_one_variable(
    database_factory: DatabaseFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database_factory(aiosqlite)
    monkeypatch.setenv("DATABASE_URL", as_text(url))
    assert run_cli(notes.create_app(), "upgrade").exit_code == 0
    assert url.database is not None and Path(url.database).exists()


@on([asyncpg])
def test_the_demo_runs_on_the_database_of_the_variable(
    backend: Backend, database_factory: DatabaseFactory
) -> None:
    assert_it_works(run_demo(as_text(database_factory(backend))))


def test_the_demo_runs_without_a_variable_and_leaves_no_file() -> None:
    """It is what ``make demo`` runs, with a real server and the real command line."""
    before = set(EXAMPLES.rglob("*.db"))
    assert_it_works(run_demo(None))
    assert set(EXAMPLES.rglob("*.db")) == before


def assert_it_works(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stderr == ""
    assert 'GET /ready -> 200\n{"database":"current"}\n' in demo.stdout
    assert "POST /notes -> 302" in demo.stdout
    assert '"done":false' in demo.stdout
    assert "$ quart --app notes db check\nNo changes detected." in demo.stdout
    assert demo.stdout.endswith("Everything works.\n")


def test_the_demo_fails_if_the_app_cannot_start() -> None:
    demo = run_demo("sqlite+aiosqlite:////no/such/folder/notes.db")
    assert demo.returncode == 1
    assert "Cannot connect to database 'default'" in demo.stderr
    assert "Everything works." not in demo.stdout


def run_demo(database_url: str | None) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "DATABASE_URL": database_url or ""}
    return subprocess.run(
        [sys.executable, EXAMPLES / "notes" / "demo.py"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("example", "driver", "field"),
    [
        (flask_sync, "sqlite-sqlite3", "name"),
        (flask_sync, "postgresql-psycopg", "name"),
        (flask_async, "sqlite-aiosqlite", "title"),
        (flask_async, "postgresql-asyncpg", "title"),
    ],
    ids=["sync-sqlite", "sync-postgresql", "async-sqlite", "async-postgresql"],
)
def test_the_flask_apps_serve_what_their_command_line_migrated(
    example: Any,
    driver: str,
    field: str,
    database_factory: DatabaseFactory,
    runner: asyncio.Runner,
) -> None:
    app: Flask = example.create_app(as_text(database_factory(by_id(driver))))
    client = app.test_client()

    with disposing_engines(runner):
        assert len(run_cli(app, "upgrade").output.splitlines()) == 1
        assert run_cli(app, "check").output == "No changes detected.\n"

        assert client.post("/", data={field: "Ada"}).status_code == 201
        assert client.post("/", data={field: ""}).status_code == 400
        assert client.get("/").get_json() == ["Ada"]

        assert run_cli(app, "downgrade").exit_code == 0
        assert run_cli(app, "current").output == ""


def test_a_flask_view_tells_whether_the_database_is_current(
    database_factory: DatabaseFactory,
) -> None:
    app = flask_async.create_app(as_text(database_factory(aiosqlite)))
    health = app.test_client().get("/health")
    assert (health.status_code, health.get_json()) == (503, {"database": "empty"})

    run_cli(app, "upgrade")
    health = app.test_client().get("/health")
    assert (health.status_code, health.get_json()) == (200, {"database": "current"})


@pytest.mark.parametrize(
    ("shop", "audit"),
    [(aiosqlite, aiosqlite), (asyncpg, asyncpg), (aiosqlite, asyncpg)],
    ids=str,
)
async def test_the_two_databases_are_migrated_and_used_together(
    shop: Backend, audit: Backend, database_factory: DatabaseFactory
) -> None:
    urls = [as_text(database_factory(backend)) for backend in (shop, audit)]
    app = two_databases.create_app(*urls)

    async with app.test_app():
        client = app.test_client()
        ordered = await client.post("/", form={"article": "tea"})
        assert ordered.status_code == 201
        assert (await client.post("/", form={})).status_code == 400
        assert await (await client.get("/")).get_json() == {"orders": 1, "events": 1}


def test_the_command_line_names_each_of_the_two_databases(
    database_factory: DatabaseFactory,
) -> None:
    urls = [as_text(database_factory(aiosqlite)) for _ in range(2)]
    app = two_databases.create_app(*urls)
    lines = run_cli(app, "upgrade").output.splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["[default]", "[audit]"]
    assert run_cli(app, "check").output == "No changes detected.\n"
    assert run_cli(app, "current", "--check-heads").exit_code == 0


async def test_each_customer_has_a_database(
    database_factory: DatabaseFactory, tmp_path: Path
) -> None:
    tenant_url = f"sqlite+aiosqlite:///{tmp_path}/{{name}}.db"
    url = as_text(database_factory(aiosqlite))
    app = tenants.create_app(url, tenant_url)

    async with app.test_app():
        client = app.test_client()

        for name in ("acme", "globex"):
            added = await client.post("/customers", form={"name": name})
            assert added.status_code == 201

        again = await client.post("/customers", form={"name": "acme"})
        assert again.status_code == 409
        acme = {"host": "acme.localhost"}
        sold = await client.post("/", form={"amount": "7"}, headers=acme)
        assert sold.status_code == 201
        assert await (await client.get("/", headers=acme)).get_json() == {"total": 7}
        globex = await client.get("/", headers={"host": "globex.localhost"})
        assert await globex.get_json() == {"total": 0}
        unknown = await client.get("/", headers={"host": "hooli.localhost"})
        assert unknown.status_code == 404

    assert {"acme.db", "globex.db"} <= {*os.listdir(tmp_path)}
    # It is started again, with customers.
    async with tenants.create_app(url, tenant_url).test_app():
        pass


@pytest.mark.parametrize(
    ("folder", "program", "args"),
    [
        ("notes", "quart", ["--app", "notes"]),
        ("flask_sync", "flask", []),
        ("flask_async", "flask", []),
        ("two_databases", "quart", []),
        ("tenants", "quart", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_example_is_found_by_the_program_that_its_docstring_names(
    folder: str, program: str, args: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", program, *args, "db", "heads"],
        cwd=EXAMPLES / folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "(head)" in done.stdout


@on_sqlite_and_postgresql
def test_the_tests_of_the_notes_app_pass(
    backend: Backend, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = server_url(backend, request, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"],
        cwd=EXAMPLES / "notes",
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    # There was no release.
    assert "11 passed, 2 skipped" in done.stdout
