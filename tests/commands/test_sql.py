"""SQL for the client programs of the databases, which execute it here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic.errors import OfflineError
from async_alembic.errors import RevisionError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..direct import blocking_url
from ..direct import execute
from ..harness import blocking_only
from ..harness import Caller
from ..harness import create_table
from ..harness import make_app
from ..harness import write_revision
from ..projects import Project
from ..shop_history import write_shop_history
from ..snapshots import Snapshot
from ..snapshots import snapshot

POSTGRESQL = by_id("postgresql-psycopg2")
MARIADB = by_id("mariadb-pymysql")
SQLITE = by_id("sqlite-sqlite3")
on_each_client = on([SQLITE, POSTGRESQL, MARIADB])


class Client:
    """The client program of a database.

    :param url: The database.
    """

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        database = str(url.database)
        host, port, user = str(url.host), str(url.port), str(url.username)
        command = {
            "sqlite": ["sqlite3", "-bail", database],
            "postgresql": [
                *("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"),
                *("-h", host, "-p", port, "-U", user, "-d", database, "-f", "-"),
            ],
            "mysql": [
                *("mariadb", "--no-defaults", "-h", host, "-P", port, "-u", user),
                database,
            ],
        }
        self.command = command[url.get_backend_name()]

        if shutil.which(self.command[0]) is None:
            missing = f"'{self.command[0]}' is not installed."
            assert "CI" not in os.environ, missing
            pytest.skip(missing)

    def run(self, sql: str) -> subprocess.CompletedProcess[str]:
        password = str(self.url.password)
        return subprocess.run(
            self.command,
            input=sql,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PGPASSWORD": password, "MYSQL_PWD": password},
        )

    def __call__(self, sql: str) -> None:
        result = self.run(sql)
        assert result.returncode == 0, result.stderr

    @property
    def versions(self) -> list[str]:
        engine = sa.create_engine(blocking_url(self.url), poolclass=sa.NullPool)

        if not sa.inspect(engine).has_table("alembic_version"):
            return []

        rows = execute(self.url, "SELECT version_num FROM alembic_version")
        return sorted(version for (version,) in rows)


def look(url: sa.URL) -> Snapshot:
    engine = sa.create_engine(blocking_url(url), poolclass=sa.NullPool)

    with engine.connect() as connection:
        return snapshot(connection)


@on_each_client
@blocking_only
def test_a_long_history_gives_the_same_database(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """What needs a database is upgraded in between."""
    offline = Project(tmp_path, engines, backend=backend)
    online = Project(tmp_path, engines, backend=backend)
    write_shop_history(offline.folder)
    client = Client(offline.engine.url)
    written = set()

    for script in reversed(caller(offline.alembic, "log")):
        start = client.versions or "base"

        try:
            sql = caller(offline.alembic, "upgrade_sql", script.revision, start)
        except OfflineError as e:
            assert e.revision == script.revision
            caller(offline.alembic, "upgrade", script.revision)
        else:
            client(sql["default"])
            written.add(script.revision)

    assert len(written) > (15 if backend.database == "sqlite" else 24)
    caller(online.alembic, "upgrade")
    assert look(client.url) == look(online.engine.url)
    assert caller(offline.alembic, "needs_upgrade") is False

    for script in caller(offline.alembic, "log")[:3]:
        start = client.versions
        target = script.down_revision

        try:
            sql = caller(offline.alembic, "downgrade_sql", target, start)
        except OfflineError:
            caller(offline.alembic, "downgrade", target)
        else:
            client(sql["default"])

        caller(online.alembic, "downgrade", target)
        assert look(client.url) == look(online.engine.url)


@on_each_client
def test_an_upgrade_can_be_written_in_parts(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, backend=backend)

    for after, revision in (None, "a1"), ("a1", "b2"), ("b2", "c3"), ("c3", "d4"):
        drop = f"op.drop_table('{revision}')"
        write_revision(project.folder, revision, after, create_table(revision), drop)

    client = Client(project.engine.url)
    parts = ("b2", "base"), ("+1", "b2"), ("heads", "c3")

    for (target, start), at in zip(parts, ["b2", "c3", "d4"], strict=True):
        client(caller(project.alembic, "upgrade_sql", target, start)["default"])
        assert client.versions == [at]

    assert caller(project.alembic, "upgrade_sql", "heads", "d4") == {"default": ""}
    client(caller(project.alembic, "downgrade_sql", "base", "d4")["default"])
    assert client.versions == []
    assert caller.tables(project.engine) == set()


#: What a revision does, and the rows of the table "log" then.
ROWS: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("op.execute(\"INSERT INTO log VALUES (1, 'a\tb')\")", [(1, "a\tb")]),
    ("op.execute(\"INSERT INTO log VALUES (1, '50 %')\")", [(1, "50 %")]),
    (
        r"op.bulk_insert(log, [{'id': 1, 'text': 'a\\b'}, {'id': 2, 'text': 'c\nd'}])",
        [(1, "a\\b"), (2, "c\nd")],
    ),
    (
        "op.get_bind().execute(log.insert(), [{'id': 1, 'text': 'x'}, {'id': 2}])",
        [(1, "x"), (2, None)],
    ),
    (
        "op.get_bind().execute(sa.text('INSERT INTO log VALUES (:a, :b)'),"
        " {'a': 1, 'b': \"it's; so\"})",
        [(1, "it's; so")],
    ),
    (
        "op.get_bind().execute(log.insert().values(id=1))\n"
        "op.get_bind().execute(log.update().where(log.c.id == sa.bindparam('x')),"
        " {'x': 1, 'text': 'y'})",
        [(1, "y")],
    ),
    (
        "op.get_bind().exec_driver_sql(\"INSERT INTO log VALUES (1, 'a:b')\")",
        [(1, "a:b")],
    ),
    (
        r"op.get_bind().execute(sa.text('INSERT INTO log VALUES (:a, :b)'),"
        r" {'a': 1, 'b': 'a\\:b'})",
        [(1, "a\\:b")],
    ),
    (
        "op.execute(\"INSERT INTO log VALUES (1, 'a') -- the last one\")",
        [(1, "a")],
    ),
    (
        "op.bulk_insert(sa.table('log', sa.column('id'), sa.column('text')),"
        " [{'id': 1, 'text': 'é'}])",
        [(1, "é")],
    ),
    (
        "op.execute(log.insert().values(id=1, text='z'))\n"
        "op.execute(sa.text('DELETE FROM log WHERE id = :id').bindparams(id=1))",
        [],
    ),
]
LOG = """
log = sa.table('log', sa.column('id', sa.Integer), sa.column('text', sa.String))
op.create_table('log', sa.Column('id', sa.Integer), sa.Column('text', sa.String(20)))
"""


@on_each_client
@blocking_only
@pytest.mark.parametrize(("code", "rows"), ROWS)
def test_rows_are_what_the_revision_says(
    code: str,
    rows: list[tuple[Any, ...]],
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """Alembic writes four spaces for a tab, two backslashes for one on PostgreSQL, and
    forgets the parameters of ``execute()``.
    """
    project = Project(tmp_path, engines, backend=backend)
    write_revision(project.folder, "a1", None, LOG + code)
    client = Client(project.engine.url)
    client(caller(project.alembic, "upgrade_sql")["default"])
    assert sorted(execute(client.url, "SELECT * FROM log")) == rows
    # So does an upgrade.
    execute(client.url, "DROP TABLE log")
    execute(client.url, "DELETE FROM alembic_version")

    if "{'id': 2}]" not in code:
        caller(project.alembic, "upgrade")
        assert sorted(execute(client.url, "SELECT * FROM log")) == rows


#: A table of values for which SQLAlchemy has no literals, or others than a driver.
VALUES = """
import datetime as dt
values = sa.Table(
    'v',
    sa.MetaData(),
    sa.Column('data', sa.LargeBinary),
    sa.Column('document', sa.JSON),
    sa.Column('day', sa.Date),
)
values.create(op.get_bind())
op.bulk_insert(values, [
    {
        'data': b'a\\\\101\\xff',
        'document': {'a': ["it's", None, 1.5, '\\\\é']},
        'day': dt.date(2026, 1, 2),
    },
    {'data': None, 'document': [], 'day': None},
])
"""
#: On PostgreSQL only, there is a type for it.
DURATION = """
op.add_column('v', sa.Column('duration', sa.Interval))
row = {'duration': dt.timedelta(days=3, seconds=4, microseconds=5)}
op.bulk_insert(sa.table('v', sa.column('duration', sa.Interval)), [row])
"""


@on_each_client
@blocking_only
def test_values_are_those_of_an_upgrade(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    more = DURATION if backend.database == "postgresql" else ""
    write_revision(project.folder, "a1", None, VALUES + more)
    client = Client(project.engine.url)
    client(caller(project.alembic, "upgrade_sql")["default"])
    # Without conversions of the driver.
    as_text = {
        "postgresql": "SELECT data, document::text, duration::text, day FROM v",
        "mariadb": "SELECT data, document, day FROM v",
        "sqlite": "SELECT typeof(data), data, document, day FROM v",
    }[backend.database]
    found = [[*map(str, row)] for row in execute(client.url, as_text)]
    found_bytes = execute(client.url, "SELECT data FROM v WHERE data IS NOT NULL")
    assert bytes(found_bytes[0][0]) == b"a\\101\xff"
    execute(client.url, "DROP TABLE v")
    execute(client.url, "DELETE FROM alembic_version")
    caller(project.alembic, "upgrade")
    expected = [[*map(str, row)] for row in execute(client.url, as_text)]
    hide = re.compile("<memory.*>")
    assert hide.sub("", str(found)) == hide.sub("", str(expected))


@on_each_client
@blocking_only
def test_it_starts_nowhere_else(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Whoever executes a file twice, or after an app has migrated, changes nothing."""
    project = Project(tmp_path, engines, backend=backend)
    insert = "op.execute('INSERT INTO log VALUES (1)')"
    write_revision(
        project.folder,
        "a1",
        None,
        "op.create_table('log', sa.Column('id', sa.Integer))",
    )
    write_revision(project.folder, "b2", "a1", insert)
    write_revision(project.folder, "c3", "b2", insert)
    client = Client(project.engine.url)
    client(caller(project.alembic, "upgrade_sql", "a1")["default"])
    part = caller(project.alembic, "upgrade_sql", "b2", "a1")["default"]
    client(part)
    assert client.run(part).returncode != 0
    caller(project.alembic, "upgrade")
    assert client.run(part).returncode != 0
    assert client.versions == ["c3"]
    assert execute(client.url, "SELECT count(*) FROM log") == [(2,)]


@on([POSTGRESQL, MARIADB, SQLITE])
@blocking_only
def test_bodies_with_semicolons_stay_whole(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    body = {
        "postgresql": (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN NEW.id := 7; RETURN NEW; END$$;"
            " CREATE TRIGGER t BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION f()"
        ),
        "mariadb": (
            "CREATE TRIGGER t BEFORE INSERT ON log FOR EACH ROW"
            " BEGIN SET NEW.id = 6; SET NEW.id = 7; END"
        ),
        "sqlite": (
            "CREATE TRIGGER t AFTER INSERT ON log"
            " BEGIN UPDATE log SET id = 6; UPDATE log SET id = 7; END"
        ),
    }
    project = Project(tmp_path, engines, backend=backend)

    if backend.database == "postgresql":
        execute(project.engine.url, "CREATE EXTENSION IF NOT EXISTS plpgsql")

    sql = body[backend.database].replace(":", r"\\:")
    write_revision(
        project.folder,
        "a1",
        None,
        f"{LOG}op.execute('''{sql}''')\nop.execute(log.insert().values(id=1))",
    )
    client = Client(project.engine.url)
    client(caller(project.alembic, "upgrade_sql")["default"])
    assert execute(client.url, "SELECT id FROM log") == [(7,)]


@on_each_client
@blocking_only
def test_a_failure_leaves_the_database_as_it_was(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    write_revision(project.folder, "a1", None, create_table("a"))
    write_revision(project.folder, "b2", "a1", "op.execute('INSERT INTO b VALUES (1)')")
    client = Client(project.engine.url)
    assert client.run(caller(project.alembic, "upgrade_sql")["default"]).returncode != 0
    # Elsewhere, DDL commits.
    expected = {"a"} if backend.database == "mariadb" else set()
    assert caller.tables(project.engine) == expected


@on([POSTGRESQL, MARIADB, SQLITE])
@blocking_only
def test_it_takes_the_lock_of_an_upgrade(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Two that execute it at once would both create the table."""
    project = Project(tmp_path, engines, backend=backend)
    write_revision(project.folder, "a1", None, create_table("a"))
    client = Client(project.engine.url)
    sql = caller(project.alembic, "upgrade_sql")["default"].replace("300)", "0)")

    failures: list[int] = []

    def execute_meanwhile(heads: object, context: object) -> tuple[()]:
        failures.append(client.run(sql).returncode)
        return ()

    caller(project.alembic, "run_migrations", execute_meanwhile)
    assert 0 not in failures
    assert caller.tables(project.engine) == set()
    client(sql)
    assert client.versions == ["a1"]


@pytest.mark.parametrize("url", ["postgresql+none://u:pw@h/shop", "mysql+none:///shop"])
def test_no_driver_is_needed(url: str, caller: Caller, tmp_path: Path) -> None:
    app = make_app("flask", tmp_path)
    app.config["ALEMBIC"] = {"sqlalchemy.url": url}
    app.config["ALEMBIC_SESSION"] = {"lock_timeout": 5}
    write_revision(tmp_path / "migrations", "a1", None, create_table("a"))
    alembic = Alembic(app, metadatas=sa.MetaData())
    sql = caller(alembic, "upgrade_sql")["default"]
    assert "CREATE TABLE a" in sql
    assert "lock_timeout" in sql
    assert "pw" not in sql


@on([SQLITE])
def test_each_database_has_its_own(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    metadatas = {"default": sa.MetaData(), "other": sa.MetaData()}
    project = Project(tmp_path, engines, backend=backend, metadatas=metadatas)
    path = write_revision(project.folder, "a1", None, "pass")
    path.write_text(
        path.read_text().replace(
            "def upgrade():\n    pass",
            "def upgrade(engine_name):\n"
            "    op.create_table(engine_name + 's', sa.Column('id', sa.Integer))",
        )
    )
    found = caller(project.alembic, "upgrade_sql")
    assert [*found] == ["default", "other"]
    assert "CREATE TABLE defaults" in found["default"]
    assert "CREATE TABLE others" in found["other"]


@on([SQLITE])
def test_what_takes_no_name_is_for_the_apps_default_database(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Also where only another database is chosen."""
    metadatas = {"default": sa.MetaData(), "other": sa.MetaData()}
    project = Project(tmp_path, engines, backend=backend, metadatas=metadatas)
    write_revision(project.folder, "a1", None, create_table("a"))
    found = caller(project.alembic, "upgrade_sql")
    assert "CREATE TABLE a " in found["default"]
    assert "CREATE TABLE a " not in found["other"]
    alembic = project.alembic.with_options(database="other")
    assert caller(alembic, "upgrade_sql") == {"other": found["other"]}


@on([SQLITE])
def test_what_needs_a_database_is_named(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    code = "op.get_bind().execute(sa.text('SELECT 1')).scalar()"
    path = write_revision(project.folder, "a1", None, f"pass\n{code}")
    line = path.read_text().splitlines().index(f"    {code}") + 1

    with pytest.raises(OfflineError, match=rf"a1 \({path}:{line}\)") as info:
        caller(project.alembic, "upgrade_sql")

    assert (info.value.revision, info.value.line) == ("a1", line)
    write_revision(
        project.folder,
        "a1",
        None,
        f"from alembic import context\nif not context.is_offline_mode():\n    {code}",
    )
    assert caller(project.alembic, "upgrade_sql")["default"]


@on([SQLITE])
def test_a_tag_reaches_the_revision(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    code = "from alembic import context\nop.execute(f'-- {context.get_tag_argument()}')"
    write_revision(project.folder, "a1", None, code)
    sql = caller(project.alembic, "upgrade_sql", "heads", "base", "night")["default"]
    assert "-- night" in sql


@on_each_client
def test_a_stamp_writes_the_version_only(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    write_revision(project.folder, "a1", None, create_table("a"))
    write_revision(project.folder, "b2", "a1", create_table("b"))
    client = Client(project.engine.url)
    client(caller(project.alembic, "stamp_sql", "a1")["default"])
    client(caller(project.alembic, "stamp_sql", "heads", "a1")["default"])
    assert client.versions == ["b2"]
    assert caller.tables(project.engine) == set()


@on([SQLITE])
@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("upgrade_sql", ("x9",)),
        ("upgrade_sql", ("heads", "x9")),
        ("upgrade_sql", ("",)),
        ("downgrade_sql", ("x9", "a1")),
        ("downgrade_sql", (["a1", "b2"], "b2")),
        ("stamp_sql", ("x9",)),
    ],
)
def test_an_unknown_target_is_named(
    method: str,
    args: tuple[Any, ...],
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    write_revision(project.folder, "a1", None, create_table("a"))
    write_revision(project.folder, "b2", "a1", create_table("b"))

    with pytest.raises(RevisionError) as info:
        caller(project.alembic, method, *args)

    assert not re.search(r"\bNone\b|KeyError", str(info.value))
