"""Histories written for Alembic's own command give the same database here."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from ..backends import Backend
from ..backends import BACKENDS
from ..backends import by_id
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import on
from ..harness import Caller
from ..harness import Framework
from ..projects import names
from ..projects import Project
from ..shop_history import HISTORY
from ..shop_history import write_shop_history
from ..snapshots import Snapshot
from ..snapshots import snapshot

#: The driver that Alembic's own command uses on each database.
SYNC_DRIVERS = {
    "sqlite": by_id("sqlite-sqlite3"),
    "postgresql": by_id("postgresql-psycopg2"),
    "mariadb": by_id("mariadb-pymysql"),
}
#: In the middle: the merge is still there, and before that.
STOPS = ["1a2b3c4d0024", "1a2b3c4d0010", "base"]


class OwnCommand:
    """Alembic's own command line, with the ``env.py`` of its template."""

    def __init__(self, root: Path, template: str, **urls: sa.URL) -> None:
        self.folder = root / "migrations"
        self.config = Config(str(root / "alembic.ini"), stdout=io.StringIO())
        command.init(self.config, str(self.folder), template)
        env = self.folder / "env.py"
        # What it does to logging would last until the end of the tests.
        env.write_text(env.read_text().replace("fileConfig(", "str("))
        # It is not read again after 'init' has written it.
        self.config = Config(str(root / "alembic.ini"), stdout=io.StringIO())
        self.config.set_main_option("databases", ", ".join(urls))

        for name, url in urls.items():
            text = url.render_as_string(hide_password=False).replace("%", "%%")
            self.config.set_section_option(name, "sqlalchemy.url", text)


@pytest.fixture(scope="module")
def known() -> dict[str, list[Snapshot]]:
    """What Alembic's own command makes of the history, on each database once."""
    return {}


@pytest.fixture
def expected(
    backend: Backend,
    database_factory: DatabaseFactory,
    tmp_path: Path,
    known: dict[str, list[Snapshot]],
) -> list[Snapshot]:
    """The database at head, and at each of the stops on the way back."""
    if backend.database not in known:
        url = database_factory(SYNC_DRIVERS[backend.database])
        own = OwnCommand(tmp_path / "own", "generic", alembic=url)
        write_shop_history(own.folder / "versions")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        command.upgrade(own.config, "head")
        found = [look(engine)]

        for stop in STOPS:
            command.downgrade(own.config, stop)
            found.append(look(engine))

        known[backend.database] = found

    return known[backend.database]


def look(engine: sa.Engine) -> Snapshot:
    with engine.connect() as connection:
        return snapshot(connection)


@pytest.mark.filterwarnings("ignore:Dialect sqlite:sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize(
    ("backend", "caller"),
    [(b, "awaited") for b in BACKENDS]
    + [(by_id(id), "blocking") for id in ("sqlite-aiosqlite", "postgresql-asyncpg")],
    ids=str,
    indirect=True,
)
def test_a_long_history_makes_the_same_database(
    backend: Backend,
    expected: list[Snapshot],
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
) -> None:
    framework: Framework = "quart" if backend.is_async else "flask"
    project = Project(tmp_path / "app", engines, backend=backend, framework=framework)
    write_shop_history(project.folder / "versions")
    applied = names(caller(project.alembic, "upgrade"))
    assert {*applied} == {*HISTORY}
    assert len(applied) == len(HISTORY) == 31
    assert not caller(project.alembic, "needs_upgrade")
    assert caller.begin(project.engine, snapshot) == expected[0]

    for stop, state in zip(STOPS, expected[1:], strict=True):
        caller(project.alembic, "downgrade", stop)
        assert caller.begin(project.engine, snapshot) == state


@pytest.mark.filterwarnings("ignore:Dialect sqlite:sqlalchemy.exc.SAWarning")
@on([by_id("sqlite-aiosqlite"), by_id("postgresql-asyncpg")])
def test_one_revision_at_a_time_gives_the_same(
    backend: Backend,
    expected: list[Snapshot],
    tmp_path: Path,
    engines: EngineFactory,
    runner: Any,
) -> None:
    """As it was deployed over the years: each time from where the last one ended."""
    caller = Caller(runner, True)
    project = Project(tmp_path / "app", engines, backend=backend)
    write_shop_history(project.folder / "versions")

    for revision in HISTORY:
        caller(project.alembic, "upgrade", revision)

    assert caller.begin(project.engine, snapshot) == expected[0]


MULTIDB_BODIES = {
    "1 tables": {
        "engine1": (
            "op.create_table('users',"
            " sa.Column('id', sa.Integer, primary_key=True),"
            " sa.Column('name', sa.String(50)))",
            "op.drop_table('users')",
        ),
        "engine2": (
            "op.create_table('events',"
            " sa.Column('id', sa.Integer, primary_key=True),"
            " sa.Column('what', sa.String(50)))",
            "op.drop_table('events')",
        ),
    },
    "2 one of them alone": {
        "engine2": (
            "op.add_column('events', sa.Column('level', sa.Integer))",
            "with op.batch_alter_table('events') as b: b.drop_column('level')",
        ),
    },
    "3 rows": {
        "engine1": (
            "op.get_bind().execute(sa.text(\"INSERT INTO users VALUES (1, 'Ann')\"))",
            "op.execute('DELETE FROM users')",
        ),
        "engine2": (
            "name = op.get_context().config.get_main_option('databases')\n"
            "    op.execute(f\"INSERT INTO events VALUES (1, '{name}', 3)\")",
            "op.execute('DELETE FROM events')",
        ),
    },
}


def write_multidb_history(own: OwnCommand) -> None:
    """Have the files made by Alembic's command, and fill them in."""
    for message, bodies in MULTIDB_BODIES.items():
        script: Any = command.revision(own.config, message)
        path = Path(script.path)
        text = path.read_text()

        for name, (upgrade, downgrade) in bodies.items():
            for function, body in ("upgrade", upgrade), ("downgrade", downgrade):
                start = text.index(f"def {function}_{name}()")
                at = text.index("    pass", start)
                text = f"{text[:at]}    {body}{text[at + len('    pass') :]}"

        path.write_text(text)


@pytest.mark.parametrize(
    ("backend", "caller"),
    [
        (by_id("sqlite-sqlite3"), "awaited"),
        (by_id("sqlite-aiosqlite"), "blocking"),
        (by_id("postgresql-psycopg2"), "blocking"),
        (by_id("postgresql-asyncpg"), "awaited"),
        (by_id("mariadb-aiomysql"), "awaited"),
    ],
    ids=str,
    indirect=True,
)
def test_a_history_of_the_multidb_template_makes_the_same_databases(
    backend: Backend,
    tmp_path: Path,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
    caller: Caller,
) -> None:
    databases = ["engine1", "engine2"]
    framework: Framework = "quart" if backend.is_async else "flask"
    sync = SYNC_DRIVERS[backend.database]
    urls = {name: database_factory(sync) for name in databases}
    own = OwnCommand(tmp_path, "multidb", **urls)
    write_multidb_history(own)
    project = Project(
        tmp_path,
        engines,
        backend=backend,
        framework=framework,
        metadatas={name: sa.MetaData() for name in databases},
    )
    theirs = {
        name: sa.create_engine(url, poolclass=sa.NullPool) for name, url in urls.items()
    }

    def compare() -> None:
        for name in databases:
            found = caller.begin(project.engines[name], snapshot)
            assert found == look(theirs[name])

    command.upgrade(own.config, "head")
    assert len(caller(project.alembic, "upgrade")) == 3
    compare()
    assert caller.columns(project.engines["engine2"], "events") == {
        "id",
        "what",
        "level",
    }
    command.downgrade(own.config, "-2")
    assert len(caller(project.alembic, "downgrade", -2)) == 2
    compare()
    command.upgrade(own.config, "+1")
    assert len(caller(project.alembic, "upgrade", 1)) == 1
    compare()
