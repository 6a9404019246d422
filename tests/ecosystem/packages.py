"""Packages of Alembic's ecosystem, each with its story: create, change, compare, down
and up.

They are installed and run by ``make ecosystem``, in an environment of its own.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from ..conftest import require
from ..servers import PostgresServer

ROOT = Path(__file__).parents[2]
STORIES = Path(__file__).parent / "stories"
#: Debian's, for which there is PostGIS.
DEBIAN = Path("/usr/lib/postgresql/15/bin")
POSTGIS = Path("/usr/share/postgresql/15/extension/postgis.control")

ON_POSTGRESQL = {
    "alembic_dddl": None,
    "alembic_pg_autogen": None,
    "alembic_postgresql_enum": None,
    "alembic_utils": None,
    "alembic_utils_extended": None,
    "audit_alembic": None,
    "geoalchemy2_postgis": "postgis",
    "pgvector": "vector",
    "sqlalchemy_continuum": None,
    "sqlalchemy_declarative_extensions": None,
    "sqlmodel": None,
}
#: What is about files.
ON_SQLITE = ["alembic_git_revisions", "alembic_linear_migrations"]


class DebianServer(PostgresServer):
    """The PostgreSQL of Debian, with its packages of extensions."""

    label = "PostgreSQL of Debian"
    _settings = {
        name: value
        for name, value in PostgresServer._settings.items()
        if name != "scram_iterations"
    }

    @classmethod
    def missing(cls) -> str | None:
        package = "postgresql-15-postgis-3"
        return None if POSTGIS.exists() else f"'{package}' is not installed."

    def _binaries(self) -> Path:
        return DEBIAN


@pytest.fixture(scope="session")
def debian_server() -> Iterator[PostgresServer]:
    require(DebianServer.missing())

    with DebianServer() as server:
        yield server


def run(folder: Path, *args: str) -> str:
    """Run a program in a folder, and return what it prints."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        args,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def tell(name: str, url: str, folder: Path) -> None:
    run(folder, sys.executable, "-m", "tests.ecosystem.story", name, url)


def _missing_spatialite() -> str | None:
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.enable_load_extension(True)
            connection.load_extension("mod_spatialite")
        except AttributeError:
            return "The sqlite3 module of this Python loads no extensions."
        except sqlite3.OperationalError:
            return "'libsqlite3-mod-spatialite' is not installed."

    return None


def test_every_story_is_told() -> None:
    found = {path.stem for path in STORIES.glob("*.py")} - {"__init__"}
    assert found == {*ON_POSTGRESQL, *ON_SQLITE, "geoalchemy2_spatialite"}


@pytest.mark.parametrize("name", ON_POSTGRESQL)
def test_on_asyncpg(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    extension = ON_POSTGRESQL[name]
    fixture = "debian_server" if extension == "postgis" else "postgres_server"
    server: PostgresServer = request.getfixturevalue(fixture)
    database = f"eco_{uuid4().hex}"
    server.create_database(database)

    if extension is not None:
        server._connect(database).cursor().execute(f"CREATE EXTENSION {extension}")

    # The superuser, who makes schemas and functions of any kind.
    url = server.url("postgresql+asyncpg", database)
    url = url.set(username="postgres", password=None)
    tell(name, url.render_as_string(hide_password=False), tmp_path)


@pytest.mark.parametrize("name", ON_SQLITE)
def test_on_aiosqlite(name: str, tmp_path: Path) -> None:
    tell(name, "sqlite+aiosqlite:///shop.db", tmp_path)


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite"])
def test_spatialite(driver: str, tmp_path: Path) -> None:
    """Its tables are rebuilt by batches, with their triggers and R*Trees."""
    require(_missing_spatialite())
    tell("geoalchemy2_spatialite", f"{driver}:///lakes.db", tmp_path)
