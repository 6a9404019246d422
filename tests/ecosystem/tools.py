"""Tools that read or execute what ``db init --env-py`` writes, on asyncpg."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

import pytest

from ..servers import PostgresServer
from .packages import run

SHOP = """
import os
import sqlalchemy as sa
from quart import Quart
from sqlalchemy.ext.asyncio import create_async_engine
from async_alembic import Alembic

metadata = sa.MetaData()
sa.Table("product", metadata, sa.Column("id", sa.BigInteger, primary_key=True))

def create_app():
    app = Quart(__name__)
    engine = create_async_engine(os.environ["SHOP_URL"])
    Alembic(app, metadatas=metadata, engines=engine)
    return app
"""
CONFTEST = """
import os
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

@pytest.fixture
def alembic_engine():
    return create_async_engine(os.environ["SHOP_URL"])
"""
TESTS = """
from pytest_alembic.tests import test_model_definitions_match_ddl
from pytest_alembic.tests import test_single_head_revision
from pytest_alembic.tests import test_up_down_consistency
from pytest_alembic.tests import test_upgrade
"""
WRITE = """
from shop import create_app

alembic = create_app().extensions["alembic"].sync
alembic.init(env_py=True)
alembic.revision("products")
"""


@pytest.fixture
def shop(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of an app with one revision, and a database that has nothing."""
    name = f"eco_{uuid4().hex}"
    postgres_server.create_database(name)
    url = postgres_server.url("postgresql+asyncpg", name)
    monkeypatch.setenv("SHOP_URL", url.render_as_string(hide_password=False))
    (tmp_path / "shop.py").write_text(SHOP)
    run(tmp_path, sys.executable, "-c", WRITE)
    return tmp_path


def test_pytest_alembic(shop: Path) -> None:
    """Its own tests are imported: adding them by itself fails with this pytest."""
    (shop / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    (shop / "conftest.py").write_text(CONFTEST)
    (shop / "test_migrations.py").write_text(TESTS)
    output = run(shop, sys.executable, "-m", "pytest", "-p", "no:asyncio")
    assert "4 passed" in output


def test_alembics_own_program(shop: Path) -> None:
    run(shop, "alembic", "upgrade", "head")
    assert "No new upgrade operations" in run(shop, "alembic", "check")


def test_alembic_squawk(shop: Path) -> None:
    run(shop, "alembic-squawk", "--revisions", "base:head", "--out-dir", "sql")
    (path,) = (shop / "sql").glob("*.sql")
    assert "CREATE TABLE product" in path.read_text()
    excluded = "--exclude=prefer-identity,prefer-robust-stmts"
    assert "Found 0 issues" in run(shop, "squawk", excluded, str(path))


def test_lazyalembic(shop: Path) -> None:
    """Its chain of revisions, without the terminal."""
    code = (
        "from pathlib import Path; from lazyalembic.chain import load_chain;"
        "print(len(load_chain(Path('.')).migrations))"
    )
    assert run(shop, sys.executable, "-c", code) == "1\n"


@pytest.mark.parametrize("program", ["lockcheck", "alembic-guard"])
def test_linters(shop: Path, program: str) -> None:
    run(shop, program, "migrations/versions")
