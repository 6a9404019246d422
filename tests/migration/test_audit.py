"""The record of who has run which revision."""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import AppliedRevision
from async_alembic import MigrationError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..cli.project import invoke
from ..harness import AnyEngine
from ..harness import Caller
from ..harness import create_table
from ..harness import ids
from ..harness import make_app
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision

on_each_kind = on(ONE_OF_EACH_KIND)
on_one = on([by_id("sqlite-sqlite3")])
TABLE = "alembic_version_audit"


class Site:
    """An app that is audited, with a history of two revisions."""

    def __init__(self, engine: AnyEngine, root: Path, **config: Any) -> None:
        self.engine = engine
        self.folder = root / "migrations"
        config = {"ALEMBIC_AUDIT": True, **config}
        self.app = make_app("flask", root, **config)
        self.metadata = sa.MetaData()
        self.alembic = Alembic(self.app, metadatas=self.metadata, engines=engine)
        drop = "op.drop_table('users')"
        write_revision(self.folder, "a1", None, create_table("users"), drop)
        drop = "op.drop_table('posts')"
        write_revision(self.folder, "b2", "a1", create_table("posts"), drop)


@on_each_kind
def test_each_revision_is_recorded(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path, ALEMBIC_CODE_VERSION="1.2.3")
    started = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    caller(site.alembic, "upgrade")
    caller(site.alembic, "downgrade")
    applied: list[AppliedRevision] = caller(site.alembic, "applied")
    assert [(a.direction, a.revision) for a in applied] == [
        ("downgrade", "b2"),
        ("upgrade", "b2"),
        ("upgrade", "a1"),
    ]
    first = applied[-1]
    assert first.database == "default"
    assert first.user == getpass.getuser()
    assert first.host == socket.gethostname()
    assert first.application == "shop"
    assert first.code_version == "1.2.3"
    text = (site.folder / "a1.py").read_bytes()
    assert first.checksum == hashlib.sha256(text).hexdigest()
    assert started <= first.applied_at <= dt.datetime.now(dt.UTC)
    assert 0 <= first.seconds < 60
    assert not any(a.is_edited for a in applied)


@on_each_kind
@pytest.mark.parametrize("per_migration", [False, True])
def test_a_record_is_there_exactly_if_the_revision_is(
    per_migration: bool,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """It is written in the same transaction."""
    site = Site(engines(backend), tmp_path)
    site.app.config["ALEMBIC_CONTEXT"]["transaction_per_migration"] = per_migration
    write_revision(site.folder, "c3", "b2", "{}['colour']")

    with pytest.raises(MigrationError):
        caller(site.alembic, "upgrade")

    is_kept = per_migration or backend.database == "mariadb"
    expected = ["b2", "a1"] if is_kept else []
    assert ids(caller(site.alembic, "current")) == expected[:1]
    assert [a.revision for a in caller(site.alembic, "applied")] == expected
    write_revision(site.folder, "c3", "b2")
    caller(site.alembic, "upgrade")
    revisions = [a.revision for a in caller(site.alembic, "applied")]
    assert revisions == ["c3", "b2", "a1"]


@on_each_kind
def test_a_stamp_writes_no_record_and_keeps_what_there_is(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    caller(site.alembic, "upgrade", "a1")
    caller(site.alembic, "stamp", "b2")
    caller(site.alembic, "stamp", "a1", purge=True)
    assert [a.revision for a in caller(site.alembic, "applied")] == ["a1"]


@on_each_kind
def test_the_table_is_not_compared_with_the_models(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path, ALEMBIC_DROP_UNKNOWN_TABLES=True)

    for name in "users", "posts":
        column = sa.Column("id", sa.Integer, primary_key=True)
        sa.Table(name, site.metadata, column)

    caller(site.alembic, "upgrade")
    assert TABLE in caller.tables(site.engine)
    assert caller(site.alembic, "compare_metadata") == []
    assert caller(site.alembic, "unknown_tables") == {"default": []}


@on_each_kind
def test_without_the_setting_nothing_is_recorded(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path, ALEMBIC_AUDIT=False)
    caller(site.alembic, "upgrade")
    assert TABLE not in caller.tables(site.engine)
    assert caller(site.alembic, "applied") == []


@on_one
def test_an_edited_file_is_named(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """The database is not what the file says."""
    site = Site(engines(backend), tmp_path)
    caller(site.alembic, "upgrade", "a1")
    caller(site.alembic, "downgrade", "base")
    caller(site.alembic, "upgrade")
    path = site.folder / "a1.py"
    path.write_text(path.read_text() + "# Edited.\n")
    edited = [a for a in caller(site.alembic, "applied") if a.is_edited]
    assert [a.revision for a in edited] == ["a1"]
    lines = invoke(site.app, "db", "log", "--applied").output.splitlines()
    assert [line.endswith(" (edited since)") for line in lines] == [
        *(False, True, False, False)
    ]
    assert "[default] upgrade b2 (0." in lines[0]
    assert f" by {getpass.getuser()}@{socket.gethostname()}, app 'shop'" in lines[0]
    checked = invoke(site.app, "db", "check").output
    assert checked.startswith("Revision a1 was edited after it was applied.\n")
    # What was reverted may be edited.
    caller(site.alembic, "downgrade", "base")
    assert not any(a.is_edited for a in caller(site.alembic, "applied"))


@on_one
def test_the_commit_of_git_is_the_version_of_the_code(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "a"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    caller(site.alembic, "upgrade", "a1")
    assert caller(site.alembic, "applied")[0].code_version == head.stdout.strip()


@on_one
def test_code_without_a_version_has_none(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a container there is no git, and a user without a name."""
    site = Site(engines(backend), tmp_path)
    monkeypatch.setenv("PATH", "")
    caller(site.alembic, "upgrade", "a1")
    assert caller(site.alembic, "applied")[0].code_version is None


@on_one
def test_several_databases_are_recorded_each_in_itself(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    app = make_app("flask", tmp_path, ALEMBIC_AUDIT=True)
    names = ["default", "audit"]
    metadatas: Any = {name: sa.MetaData() for name in names}
    made: Any = {name: engines(backend) for name in names}
    alembic = Alembic(app, metadatas=metadatas, engines=made)
    write_revision(tmp_path / "migrations", "a1", args="engine_name")
    caller(alembic, "upgrade")
    applied = caller(alembic, "applied")
    assert sorted(a.database for a in applied) == sorted(names)

    for name in names:
        rows = caller.query(made[name], f"SELECT database_name FROM {TABLE}")
        assert rows == [(name,)]
