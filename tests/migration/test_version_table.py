"""Which version table counts, whatever revisions and search paths say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import MigrationError
from async_alembic import TargetError

from ..backends import Backend
from ..backends import by_id
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import on
from ..backends import POSTGRESQL_BACKENDS
from ..backends import SHARED_BACKENDS
from ..harness import AnyEngine
from ..harness import Caller
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from .sites import HOLD
from .sites import in_a_thread
from .sites import INSERT
from .sites import LOG
from .sites import migrating
from .sites import Site

on_postgresql = on(POSTGRESQL_BACKENDS)
on_mariadb = on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
one_transaction_or_each = pytest.mark.parametrize(
    "context", [{}, {"transaction_per_migration": True}], ids=["one", "each"]
)


@pytest.mark.parametrize(
    "leave", ["SELECT set_config('search_path', '', false)", "SET search_path TO other"]
)
@one_transaction_or_each
@on_postgresql
def test_a_search_path_that_a_revision_sets_leads_to_no_other_table(
    context: dict[str, Any],
    leave: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """What ``pg_dump`` writes begins with the first one."""
    site = Site(engines(backend), tmp_path)
    site.app.config["ALEMBIC_CONTEXT"] |= context
    caller.execute(site.engine, "CREATE SCHEMA other")
    caller.execute(site.engine, "CREATE TABLE other.alembic_version AS SELECT 'x' AS v")
    site.history(LOG, f"op.execute({leave!r})", "op.execute('SELECT 1')")
    write_revision(site.migrations, "a4", "a3", "pass", f"op.execute({leave!r})")
    assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2", "a3", "a4"]
    assert caller.versions(site.engine) == ["a4"]
    caller(site.alembic, "downgrade", 3)
    assert caller.versions(site.engine) == ["a1"]
    rows = caller.query(site.engine, "SELECT * FROM other.alembic_version")
    assert rows == [("x",)]


@on_mariadb
def test_a_database_that_a_revision_uses_has_no_other_table(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    database_factory: DatabaseFactory,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend), tmp_path)
    other = engines(backend)
    caller.execute(other, "CREATE TABLE alembic_version (version_num VARCHAR(32))")
    caller.execute(other, "INSERT INTO alembic_version VALUES ('a1')")
    site.history(LOG, f"op.execute('USE `{other.url.database}`')", "pass")
    assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2", "a3"]
    assert caller.versions(site.engine) == ["a3"]
    assert caller.versions(other) == ["a1"]


@on_postgresql
def test_migrators_of_one_table_take_turns_whatever_their_search_paths(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    first = Site(engines(backend), tmp_path / "one")
    url = first.engine.url
    caller.execute(first.engine, "CREATE SCHEMA app")
    first.history(LOG)
    caller(first.alembic, "upgrade")
    second = Site(_with_path(engines(backend, url), "app, public"), tmp_path / "two")

    for site in first, second:
        site.history(LOG, f"{INSERT.format(1)}\n{HOLD}")

    with migrating(first):
        with in_a_thread(lambda: caller(second.alembic, "upgrade")) as waiting:
            assert not second.running.wait(0.5)
            first.go_on.set()

    assert waiting.result() == []
    assert caller.query(first.engine, "SELECT * FROM log") == [(1,)]


@on_postgresql
def test_who_waits_where_there_is_no_table_yet_finds_the_one_that_is_made_meanwhile(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Two paths that begin with different schemas would create two tables."""
    first = Site(engines(backend), tmp_path / "one")
    caller.execute(first.engine, "CREATE SCHEMA app")
    url = first.engine.url
    # Holds the lock for the other schema.
    holder = Site(_with_path(engines(backend, url), "app"), tmp_path / "holder")
    second = Site(_with_path(engines(backend, url), "app, public"), tmp_path / "two")

    for site in first, second:
        site.history(LOG)

    holder.history(f"{HOLD}\nraise ValueError('no')")

    with pytest.raises(MigrationError), migrating(holder):
        with in_a_thread(second.alembic.sync.upgrade) as waiting:
            assert not second.running.wait(0.5)
            first.alembic.sync.upgrade()
            holder.go_on.set()
            applied = waiting.result(30)

    assert applied == []
    schemas = "SELECT schemaname FROM pg_tables WHERE tablename = 'alembic_version'"
    assert caller.query(first.engine, schemas) == [("public",)]


def _with_path(engine: AnyEngine, path: str) -> AnyEngine:
    sync_engine = getattr(engine, "sync_engine", engine)

    @sa.event.listens_for(sync_engine, "connect")
    def set_path(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET search_path TO {path}")
        cursor.close()
        connection.commit()

    return engine


@on(SHARED_BACKENDS)
def test_two_names_of_one_database_are_refused(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Its second transaction would wait for the first one until the timeout."""
    first = engines(backend)
    url = first.url

    if backend.database == "sqlite":
        link = tmp_path / "link.db"
        link.symlink_to(str(url.database))
        url = url.set(database=str(link))
    else:
        url = url.set(host="localhost")

    alembic = _for_both(first, engines(backend, url), tmp_path)

    for _ in range(2):
        with pytest.raises(TargetError, match="'default' and 'other'.*same database"):
            caller(alembic, "upgrade")

    assert caller.tables(first) == set()


@on(SHARED_BACKENDS)
def test_databases_of_one_name_on_two_servers_or_in_two_schemas_are_two(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    first = engines(backend)
    options: dict[str, Any] = {}
    url = first.url

    if backend.database == "postgresql":
        caller.execute(first, "CREATE SCHEMA tenant")
        options["execution_options"] = {"schema_translate_map": {None: "tenant"}}
    else:
        url = engines(backend).url

    second = engines(backend, url, **options)
    alembic = _for_both(first, second, tmp_path)
    caller(alembic, "upgrade")
    assert caller(alembic, "status")["other"].state == "current"


def _for_both(first: AnyEngine, second: AnyEngine, root: Path) -> Alembic:
    app = make_app("flask", root)
    metadatas: Any = {"default": sa.MetaData(), "other": sa.MetaData()}
    engines: Any = {"default": first, "other": second}
    alembic = Alembic(app, metadatas=metadatas, engines=engines)
    write_revision(root / "migrations", "a1", None, LOG, args="engine_name")
    _apps.append(app)
    return alembic


#: The extension does not keep them.
_apps: list[Any] = []


@pytest.mark.parametrize("per_migration", [False, True], ids=["one", "each"])
@on_postgresql
def test_a_translated_schema_is_that_of_the_version_table(
    per_migration: bool,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """A tenant's. What is asked goes where writing goes."""
    options = {"schema_translate_map": {None: "tenant"}}
    engine = engines(backend, execution_options=options)
    site = Site(engine, tmp_path)
    site.app.config["ALEMBIC_CONTEXT"]["transaction_per_migration"] = per_migration
    caller.execute(engine, "CREATE SCHEMA tenant")
    site.history(LOG)
    caller(site.alembic, "upgrade")
    site.history(LOG, LOG.replace("log", "other"))
    assert ids(caller(site.alembic, "upgrade")) == ["a2"]
    assert caller(site.alembic, "upgrade") == []
    tables = (
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^pg|^info'"
    )
    assert sorted(caller.query(engine, tables)) == [
        ("tenant", "alembic_version"),
        ("tenant", "log"),
        ("tenant", "other"),
    ]
