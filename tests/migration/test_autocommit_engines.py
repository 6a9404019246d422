"""Apps whose engines commit each statement. Migrations do not."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import MigrationError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import awaited_only
from ..harness import Caller
from ..harness import make_app
from ..harness import write_revision
from .sites import INSERT
from .sites import LOG
from .sites import Site

IN_SQLALCHEMY: list[dict[str, Any]] = [
    {"isolation_level": "AUTOCOMMIT"},
    {"execution_options": {"isolation_level": "AUTOCOMMIT"}},
]
IN_DRIVER: list[dict[str, Any]] = [{"connect_args": {"autocommit": True}}]
IN_SQLITE: list[dict[str, Any]] = [{"connect_args": {"isolation_level": None}}]
FAIL = "raise ValueError('no')"


def _ways(id: str) -> list[dict[str, Any]]:
    """The ways to make a driver commit each statement."""
    if id.startswith("sqlite"):
        in_driver = IN_DRIVER if sys.version_info >= (3, 12) else []
        return [*IN_SQLALCHEMY, *IN_SQLITE, *in_driver]

    # The connect functions of the others have no such argument.
    has_argument = id.startswith("mariadb") or id.startswith("postgresql-psycopg-")
    return [*IN_SQLALCHEMY, *(IN_DRIVER if has_argument else [])]


on_autocommit_engines = pytest.mark.parametrize(
    ("backend", "options"),
    [
        pytest.param(by_id(id), options, id=f"{id}-{number}")
        for id in (
            "sqlite-sqlite3",
            "sqlite-aiosqlite",
            "postgresql-psycopg2",
            "postgresql-psycopg-async",
            "postgresql-asyncpg",
        )
        for number, options in enumerate(_ways(id))
    ],
    indirect=["backend"],
)


def make_site(
    backend: Backend, engines: EngineFactory, root: Path, options: dict[str, Any]
) -> Site:
    site = Site(engines(backend, **options), root)
    site.history(LOG, f"{INSERT.format(1)}\nop.execute('CREATE TABLE other (id int)')")
    return site


def break_revision(site: Site, direction: str) -> None:
    write_revision(
        site.migrations,
        "a3",
        "a2",
        f"{INSERT.format(2)}\n{FAIL if direction == 'upgrade' else ''}",
        f"op.execute('DROP TABLE log')\n{FAIL}",
    )


@on_autocommit_engines
def test_a_failed_upgrade_leaves_nothing(
    backend: Backend,
    options: dict[str, Any],
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = make_site(backend, engines, tmp_path, options)
    break_revision(site, "upgrade")

    with pytest.raises(MigrationError):
        caller(site.alembic, "upgrade")

    assert caller.tables(site.engine) == set()
    site.history(LOG, INSERT.format(1))
    (site.migrations / "a3.py").unlink()
    caller(site.alembic, "upgrade")
    assert caller.query(site.engine, "SELECT * FROM log") == [(1,)]


@on_autocommit_engines
def test_a_failed_downgrade_leaves_all(
    backend: Backend,
    options: dict[str, Any],
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = make_site(backend, engines, tmp_path, options)
    break_revision(site, "downgrade")
    caller(site.alembic, "upgrade")

    with pytest.raises(MigrationError):
        caller(site.alembic, "downgrade")

    assert sorted(caller.query(site.engine, "SELECT * FROM log")) == [(1,), (2,)]
    assert caller.versions(site.engine) == ["a3"]


@on_autocommit_engines
@awaited_only
def test_a_cancelled_upgrade_leaves_nothing(
    backend: Backend,
    options: dict[str, Any],
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = make_site(backend, engines, tmp_path, options)
    write_revision(
        site.migrations,
        "a3",
        "a2",
        f"{INSERT.format(2)}\nop.get_context().opts['running'].set()\n"
        "import time\nfor _ in range(3000):\n"
        "    op.execute('SELECT 1')\n    time.sleep(0.01)",
    )

    async def cancel() -> None:
        upgrade = asyncio.create_task(site.alembic.upgrade())

        await asyncio.to_thread(site.running.wait, 30)
        upgrade.cancel()

        with contextlib.suppress(asyncio.CancelledError):
            await upgrade

    caller.run(cancel())
    assert caller.tables(site.engine) == set()


@on_autocommit_engines
def test_a_failure_in_one_of_several_databases_leaves_nothing_in_the_others(
    backend: Backend,
    options: dict[str, Any],
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    databases = {name: engines(backend, **options) for name in ("default", "other")}
    app = make_app("flask", tmp_path)
    metadatas: Any = {name: sa.MetaData() for name in databases}
    alembic = Alembic(app, metadatas=metadatas, engines=databases)
    code = f"{LOG}\nif engine_name == 'other':\n    {FAIL}"
    write_revision(tmp_path / "migrations", "a1", None, code, args="engine_name")

    with pytest.raises(MigrationError):
        caller(alembic, "upgrade")

    for engine in databases.values():
        assert caller.tables(engine) == set()


@pytest.mark.parametrize("options", [*IN_SQLALCHEMY, *IN_DRIVER])
@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy"), by_id("mariadb-aiomysql")])
def test_rows_of_a_failed_revision_are_rolled_back_on_mariadb(
    backend: Backend,
    options: dict[str, Any],
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend, **options), tmp_path)
    site.history(LOG, f"{INSERT.format(1)}\n{FAIL}")

    with pytest.raises(MigrationError) as caught:
        caller(site.alembic, "upgrade")

    assert caught.value.partial is None
    assert caller.query(site.engine, "SELECT * FROM log") == []
