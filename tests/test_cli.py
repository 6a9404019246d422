"""The ``db`` group: every command and option, on both frameworks and both kinds of
engine, from ``app.test_cli_runner()`` and in processes of its own.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from alembic.util import to_tuple
from click.testing import Result
from flask.sansio.app import App

import async_alembic
from async_alembic import Alembic
from async_alembic import SyncAlembic

from .apps import AnyEngine
from .apps import Caller
from .apps import create_table
from .apps import Framework
from .apps import make_app
from .apps import on_both_frameworks
from .apps import write_revision
from .backends import Backend
from .backends import by_id
from .backends import EngineFactory
from .backends import on
from .direct import execute

TIME = r"\((\d+ ms|\d+\.\d s)\)"
BOTH_KINDS = [by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")]
on_servers = on(
    [
        by_id(id)
        for id in (
            *("sqlite-memory-sqlite3", "sqlite-memory-aiosqlite"),
            *("postgresql-psycopg2", "postgresql-asyncpg"),
            *("mariadb-pymysql", "mariadb-asyncmy"),
        )
    ]
)


def invoke(app: App, *args: str) -> Result:
    """Run a command as the user's tests do. What is raised on purpose stays one
    sentence; everything else fails the test.
    """
    runner: Any = cast("Any", app).test_cli_runner()
    return cast("Result", runner.invoke(args=args, catch_exceptions=False))


@dataclass
class Project:
    """An app with a database, and the ``db`` group to run commands of."""

    app: App
    alembic: Alembic
    engine: AnyEngine
    root: Path
    look: Caller

    def __call__(self, *args: str, fails: int = 0) -> str:
        """Run a command of the group.

        :param fails: The exit code that is expected.
        :return: What it printed.
        """
        result = invoke(self.app, "db", *args)
        assert result.exit_code == fails, result.output
        return result.output

    @property
    def migrations(self) -> Path:
        return self.root / "migrations"

    @property
    def versions(self) -> list[str]:
        return self.look.versions(self.engine)

    @property
    def tables(self) -> set[str]:
        return self.look.tables(self.engine)

    def created(self, output: str) -> str:
        """The text of the file that a command says it has created."""
        match = re.fullmatch(r"Created (.+\.py)\n", output)
        assert match, output
        return Path(match[1]).read_text()


ProjectFactory = Callable[..., Project]


@pytest.fixture
def project_for(
    engines: EngineFactory, runner: asyncio.Runner, tmp_path: Path
) -> ProjectFactory:
    def make(framework: Framework, backend: Backend, **kwargs: Any) -> Project:
        app = make_app(framework, tmp_path, **kwargs.pop("config", {}))
        # A folder of migrations that an earlier start has made.
        (tmp_path / "migrations").mkdir()
        engine = engines(backend)
        kwargs.setdefault("metadatas", metadata())
        alembic = Alembic(app, engines=engine, **kwargs)
        return Project(app, alembic, engine, tmp_path, Caller(runner, False))

    return make


@pytest.fixture
def db(framework: Framework, backend: Backend, project_for: ProjectFactory) -> Project:
    """An app whose history has ``a1``, ``b2`` and ``c3``, one after another."""
    project = project_for(framework, backend)
    write_history(project.migrations)
    return project


def metadata() -> sa.MetaData:
    metadata = sa.MetaData()

    for name in "users", "posts", "tags":
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True))

    return metadata


def write_history(folder: Path) -> None:
    parent = None

    for revision, table in ("a1", "users"), ("b2", "posts"), ("c3", "tags"):
        write_revision(
            folder, revision, parent, create_table(table), f"op.drop_table('{table}')"
        )
        parent = revision


def on_every_app(test: Any) -> Any:
    """Run a test on both frameworks, with both kinds of engine."""
    return on(BOTH_KINDS)(on_both_frameworks(test))


def on_one_app(test: Any) -> Any:
    """Run a test once, as only the printed text is of interest."""
    test = pytest.mark.parametrize("framework", ["flask"])(test)
    return on(BOTH_KINDS[:1])(test)


# mkdir


@on_every_app
def test_mkdir_creates_what_is_missing(db: Project) -> None:
    template = db.migrations / "script.py.mako"
    template.unlink()
    assert db("mkdir") == ""
    assert "down_revision" in template.read_text()


@on_one_app
def test_mkdir_leaves_what_is_there(db: Project) -> None:
    template = db.migrations / "script.py.mako"
    template.write_text("mine")
    db("mkdir")
    assert template.read_text() == "mine"


@on_one_app
def test_mkdir_also_creates_the_folders_of_the_branches(
    framework: Framework, backend: Backend, project_for: ProjectFactory
) -> None:
    config = {"ALEMBIC": {"version_locations": ["more", ("users", "users/versions")]}}
    project = project_for(framework, backend, config=config, run_mkdir=False)
    assert not (project.root / "more").exists()
    project("mkdir")
    assert (project.root / "more").is_dir()
    assert (project.root / "users/versions").is_dir()


# current


@on_every_app
def test_current_shows_where_the_database_is(db: Project) -> None:
    assert db("current") == ""
    db("upgrade", "b2")
    assert db("current") == "a1 -> b2, Revision b2.\n"
    db("upgrade")
    assert db("current") == "b2 -> c3 (head), Revision c3.\n"


@on_every_app
def test_current_with_check_heads_fails_until_all_is_applied(db: Project) -> None:
    db("upgrade", "b2")
    expected = "Database is not on all head revisions\n"
    assert db("current", "--check-heads", fails=1) == expected
    db("upgrade")
    expected = "b2 -> c3 (head), Revision c3.\n"
    assert db("current", "--check-heads") == expected


@on_one_app
@pytest.mark.parametrize("option", ["-v", "--verbose"])
@pytest.mark.parametrize(
    ("command", "revision"), [("current", "c3"), ("heads", "c3"), ("log", "a1")]
)
def test_verbose_shows_all_of_a_revision(
    db: Project, command: str, revision: str, option: str
) -> None:
    db("upgrade")
    output = db(command, option)
    assert f"Rev: {revision}" in output
    assert f"Path: {db.migrations / revision}.py" in output
    assert f"Revision {revision}." in output


# heads, branches, log, show: nothing but files


@on_every_app
def test_heads_shows_the_newest_revisions(db: Project) -> None:
    write_revision(db.migrations, "d4", "b2")
    assert db("heads") == (
        "b2 -> c3 (head), Revision c3.\nb2 -> d4 (head), Revision d4.\n"
    )


@on_one_app
def test_heads_can_treat_dependencies_as_parents(db: Project) -> None:
    write_revision(db.migrations, "d4", None, labels=["other"], depends_on="c3")
    assert re.findall(r"-> (\w+)", db("heads")) == ["c3", "d4"]
    assert db("heads", "--resolve-dependencies") == (
        "<base> (c3) -> d4 (other) (head), Revision d4.\n"
    )


@on_every_app
def test_branches_shows_where_the_history_forks(db: Project) -> None:
    assert db("branches") == ""
    write_revision(db.migrations, "d4", "b2")
    assert db("branches") == (
        "a1 -> b2 (branchpoint), Revision b2.\n"
        "    -> b2 -> c3 (head), Revision c3.\n"
        "    -> b2 -> d4 (head), Revision d4.\n"
    )


@on_one_app
@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_branches_can_be_verbose(db: Project, option: str) -> None:
    write_revision(db.migrations, "d4", "b2")
    output = db("branches", option)
    assert "Branches into: " in output
    assert "    -> b2 -> d4 (head)" in output


@on_every_app
def test_log_shows_the_newest_first(db: Project) -> None:
    assert db("log") == (
        "b2 -> c3 (head), Revision c3.\n"
        "a1 -> b2, Revision b2.\n"
        "<base> -> a1, Revision a1.\n"
    )


@on_every_app
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--start", "b2"), ["c3", "b2"]),
        (("--end", "b2"), ["b2", "a1"]),
        (("--start", "b2", "--end", "b2"), ["b2"]),
        (("--start", "current"), ["c3", "b2"]),
        (("--end", "current"), ["b2", "a1"]),
    ],
)
def test_log_can_show_a_part(
    db: Project, options: tuple[str, ...], expected: list[str]
) -> None:
    db("upgrade", "b2")
    assert re.findall(r"-> (\w+)", db("log", *options)) == expected


@on_every_app
def test_show_shows_the_heads_by_default(db: Project) -> None:
    assert re.findall(r"Rev: (\w+)", db("show")) == ["c3"]


@on_every_app
def test_show_shows_the_given_revisions(db: Project) -> None:
    db("upgrade", "b2")
    assert re.findall(r"Rev: (\w+)", db("show", "a1", "c3")) == ["a1", "c3"]
    assert re.findall(r"Rev: (\w+)", db("show", "current")) == ["b2"]


# check


@on_every_app
def test_check_compares_the_models_with_the_database(db: Project) -> None:
    db("upgrade")
    assert db("check") == "No changes detected.\n"
    db.look.execute(db.engine, "DROP TABLE tags", "CREATE TABLE extra (id INTEGER)")
    output = db("check", fails=1)
    assert output.startswith("Changes detected.\n")
    assert "  add table tags\n" in output
    assert "  remove table extra\n" in output


@on_one_app
def test_check_names_every_kind_of_difference(db: Project) -> None:
    """A line each, so that a failed job in CI tells what was forgotten."""
    db.look.execute(
        db.engine,
        "CREATE TABLE users (id INTEGER NOT NULL, name VARCHAR(9), PRIMARY KEY (id))",
        "CREATE INDEX by_name ON users (name)",
        "CREATE TABLE posts (id VARCHAR(5) NOT NULL PRIMARY KEY)",
        "CREATE TABLE tags (id INTEGER PRIMARY KEY NOT NULL, UNIQUE (id))",
    )
    expected = ["Changes detected.", "  modify type posts.id", "  remove column users"]
    lines = db("check", fails=1)
    assert all(line in lines for line in expected)
    assert "  remove index by_name on users" in lines
    assert "  remove column users.name" in lines


# stamp


@on_every_app
def test_stamp_sets_the_revision_and_runs_nothing(db: Project) -> None:
    assert db("stamp") == ""
    assert db.versions == ["c3"]
    db("stamp", "b2")
    assert db.versions == ["b2"]
    db("stamp", "base")
    assert db.versions == []
    assert db.tables == set()


@on_every_app
def test_stamp_takes_several_revisions(db: Project) -> None:
    write_revision(db.migrations, "d4", "b2")
    db("stamp", "c3", "d4")
    assert db.versions == ["c3", "d4"]


@on_every_app
def test_stamp_can_forget_a_revision_that_the_code_does_not_have(db: Project) -> None:
    db("upgrade")
    db.look.execute(db.engine, "UPDATE alembic_version SET version_num = 'gone'")
    assert "gone" in db("stamp", "b2", fails=1)
    assert db.versions == ["gone"]
    db("stamp", "b2", "--purge")
    assert db.versions == ["b2"]


# upgrade and downgrade


@on_every_app
def test_upgrade_shows_each_revision_with_its_time(db: Project) -> None:
    lines = db("upgrade").splitlines()

    for line, revision in zip(lines, ["a1", "b2", "c3"], strict=True):
        assert re.fullmatch(rf"upgrade {revision}, Revision {revision}\. {TIME}", line)

    assert db.versions == ["c3"]
    assert db.tables == {"users", "posts", "tags"}


@on_every_app
def test_a_revision_is_shown_before_it_is_done(db: Project) -> None:
    """So that one sees what takes so long."""
    seen = db.root / "seen"
    write_revision(
        db.migrations,
        "d4",
        "c3",
        f"pathlib.Path({str(seen)!r}).write_bytes(sys.stdout.buffer.getvalue())",
        top="import pathlib, sys",
    )
    db("upgrade", "b2")
    db("upgrade")
    text = rf"upgrade c3, Revision c3\. {TIME}\nupgrade d4, Revision d4\."
    assert re.fullmatch(text, seen.read_text())


@on_one_app
def test_a_slow_revision_shows_seconds(db: Project) -> None:
    write_revision(db.migrations, "d4", "c3", "import time; time.sleep(1.1)")
    assert re.search(r"upgrade d4, Revision d4\. \(1\.\d s\)\n", db("upgrade"))


@on_every_app
def test_a_second_upgrade_finds_nothing_to_do(db: Project) -> None:
    db("upgrade")
    assert db("upgrade") == "Nothing to upgrade.\n"


@on_every_app
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("b2", ["b2"]),
        ("+1", ["a1"]),
        ("+2", ["b2"]),
        ("2", ["b2"]),
        ("a1+1", ["b2"]),
        ("head", ["c3"]),
        ("heads", ["c3"]),
        ("branch@head", ["c3"]),
        ("branch@b2", ["b2"]),
    ],
)
def test_upgrade_takes_a_target(db: Project, target: str, expected: list[str]) -> None:
    text = (db.migrations / "a1.py").read_text()
    labelled = text.replace("branch_labels = None", "branch_labels = 'branch'")
    (db.migrations / "a1.py").write_text(labelled)
    db("upgrade", target)
    assert db.versions == expected


@on_every_app
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ((), ["b2"]),
        (("1",), ["b2"]),
        (("-1",), ["b2"]),
        (("2",), ["a1"]),
        (("-2",), ["a1"]),
        (("a1",), ["a1"]),
        (("c3-2",), ["a1"]),
        (("base",), []),
    ],
)
def test_downgrade_takes_a_target(
    db: Project, target: tuple[str, ...], expected: list[str]
) -> None:
    """``-1`` is no option, though it looks like one."""
    db("upgrade")
    db("downgrade", *target)
    assert db.versions == expected


@on_every_app
def test_downgrade_shows_each_revision_with_its_time(db: Project) -> None:
    db("upgrade")
    lines = db("downgrade", "a1").splitlines()

    for line, revision in zip(lines, ["c3", "b2"], strict=True):
        assert re.fullmatch(
            rf"downgrade {revision}, Revision {revision}\. {TIME}", line
        )

    assert db.tables == {"users"}


@on_every_app
def test_a_downgrade_to_where_the_database_is_does_nothing(db: Project) -> None:
    db("upgrade", "b2")
    assert db("downgrade", "b2") == "Nothing to downgrade.\n"


@on_every_app
def test_a_number_is_a_revision_id_if_there_is_such_a_revision(
    framework: Framework, backend: Backend, project_for: ProjectFactory
) -> None:
    """Flask-Alembic's ids are numbers, and those of hand-written files often are."""
    db = project_for(framework, backend)
    write_revision(db.migrations, "1700000001")
    write_revision(db.migrations, "2", "1700000001")
    write_revision(db.migrations, "1700000003", "2")
    db("upgrade", "2")
    assert db.versions == ["2"]
    # There is no revision '1', so it counts.
    db("upgrade", "1")
    assert db.versions == ["1700000003"]
    db("downgrade", "2")
    assert db.versions == ["2"]
    db("upgrade", "1700000003")
    db("downgrade", "1700000001")
    assert db.versions == ["1700000001"]


@on_every_app
def test_a_failed_revision_is_named_and_the_database_as_it_was(db: Project) -> None:
    write_revision(db.migrations, "d4", "c3", "op.execute('SELEKT 1')")
    db("upgrade", "b2")
    lines = db("upgrade", fails=1).splitlines()
    assert re.fullmatch(rf"upgrade c3, Revision c3\. {TIME}", lines[0])
    assert lines[1] == "upgrade d4, Revision d4. failed"
    assert lines[2].startswith(
        "Error: The upgrade of database 'default' failed in revision d4"
    )
    assert "SELEKT 1" in lines[2]
    assert len(lines) == 3
    assert db.versions == ["b2"]
    assert db.tables == {"users", "posts"}


# revision


@on_every_app
def test_revision_writes_what_the_models_and_the_database_differ_by(
    framework: Framework, backend: Backend, project_for: ProjectFactory
) -> None:
    db = project_for(framework, backend)
    text = db.created(db("revision", "make tables"))
    assert '"""make tables' in text
    assert "op.create_table('users'" in text
    db("upgrade")
    assert db.tables == {"users", "posts", "tags"}
    assert db("revision", "once more") == (
        "No changes detected, so no revision was written.\n"
    )


@on_every_app
def test_revision_can_be_empty_and_needs_no_database_then(db: Project) -> None:
    text = db.created(db("revision", "by hand", "--empty"))
    assert "pass" in text
    assert re.search(r"^down_revision.* = 'c3'$", text, re.MULTILINE)
    assert db.versions == []


@on_one_app
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--rev-id", "d4"), {"revision": ["d4"], "down_revision": ["c3"]}),
        (("-p", "c3"), {"down_revision": ["c3"]}),
        (("-p", "b2", "--splice"), {"down_revision": ["b2"]}),
        (("--parent", "c3", "--parent", "x9"), {"down_revision": ["c3", "x9"]}),
        (("-d", "x9"), {"down_revision": ["c3"], "depends_on": ["x9"]}),
        (("--depend", "x9", "-d", "a1"), {"depends_on": ["x9", "a1"]}),
        (("-l", "label"), {"branch_labels": ["label"]}),
        (("--label", "one", "-l", "two"), {"branch_labels": ["one", "two"]}),
        (("-b", "new"), {"down_revision": [], "branch_labels": ["new"]}),
        (("--branch", "other"), {"down_revision": ["x9"], "branch_labels": []}),
    ],
)
def test_revision_takes_options(
    db: Project, options: tuple[str, ...], expected: dict[str, list[str]]
) -> None:
    write_revision(db.migrations, "x9", labels=["other"])
    text = db.created(db("revision", "message", "--empty", *options))
    found: dict[str, Any] = {}
    exec(text, found)
    assert {name: [*to_tuple(found[name], ())] for name in expected} == expected


@on_one_app
@pytest.mark.parametrize("absolute", [False, True])
def test_revision_can_be_written_to_another_folder(db: Project, absolute: bool) -> None:
    db.app.config["ALEMBIC"]["version_locations"] = ["more"]
    path = db.root / "more"
    path.mkdir()
    db("revision", "m", "--empty", "--path", str(path) if absolute else "more")
    assert len([*path.glob("*_m.py")]) == 1
    assert "_m.py" not in str([*db.migrations.iterdir()])


@on_one_app
def test_a_created_file_is_shown_from_the_working_directory(
    db: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short, and to be clicked on in a terminal; in full if it is somewhere else."""
    monkeypatch.chdir(db.root)
    output = db("revision", "m", "--empty", "--rev-id", "d4")
    assert output == f"Created {Path('migrations', 'd4_m.py')}\n"
    monkeypatch.chdir(db.migrations / "..")
    (db.root / "elsewhere").mkdir()
    monkeypatch.chdir(db.root / "elsewhere")
    output = db("revision", "m", "--empty", "--rev-id", "e5")
    assert output == f"Created {db.migrations / 'e5_m.py'}\n"


# merge


@on_every_app
def test_merge_joins_all_heads(db: Project) -> None:
    write_revision(db.migrations, "d4", "b2")
    text = db.created(db("merge"))
    assert "('c3', 'd4')" in text
    assert '"""merge heads' in text
    assert db("heads").count("(head)") == 1
    assert db("merge") == "Nothing to merge: there is one head.\n"


@on_one_app
@pytest.mark.parametrize("message", ["-m", "--message"])
@pytest.mark.parametrize("label", ["-l", "--label"])
def test_merge_takes_revisions_a_message_and_labels(
    db: Project, message: str, label: str
) -> None:
    write_revision(db.migrations, "d4", "b2")
    write_revision(db.migrations, "e5", "b2")
    text = db.created(
        db("merge", "c3", "e5", message, "join them", label, "joined", label, "two")
    )
    assert '"""join them' in text
    assert "('c3', 'e5')" in text
    assert "('joined', 'two')" in text
    assert len(re.findall(r"-> (\w+)", db("heads"))) == 2


@on_one_app
def test_merge_can_splice(db: Project) -> None:
    write_revision(db.migrations, "d4", "b2")
    write_revision(db.migrations, "e5", "d4")
    db("merge", "c3", "d4", fails=1)
    assert "('c3', 'd4')" in db.created(db("merge", "c3", "d4", "--splice"))


# The group


@on_servers
@on_both_frameworks
@pytest.mark.parametrize("where", ["plain", "in-context", "in-loop"])
def test_a_round_trip_of_all_commands(
    framework: Framework,
    backend: Backend,
    where: str,
    project_for: ProjectFactory,
    runner: asyncio.Runner,
) -> None:
    """On every database, and also from a coroutine, as in a Quart user's test."""
    db = project_for(framework, backend)

    def work() -> None:
        text = db.created(db("revision", "make tables"))
        assert "op.create_table('users'" in text
        assert db("upgrade").startswith("upgrade ")
        assert db("check") == "No changes detected.\n"
        assert "(head), make tables" in db("current", "--check-heads")
        assert "(head), make tables" in db("log", "--start", "current")
        db("revision", "by hand", "--empty")
        db("upgrade", "+1")
        db("downgrade", "1")
        db("downgrade", "-1")
        db("stamp", "heads")
        assert db("upgrade") == "Nothing to upgrade.\n"
        assert db("branches") == ""
        assert "Error: There is no revision" in db("upgrade", "x9", fails=1)

    async def work_in_loop() -> None:
        work()

    match where:
        case "plain":
            work()
        case "in-context":
            with db.look.inside(db.app):
                db.look.block(work)
        case "in-loop":
            runner.run(work_in_loop())

    assert len(db.versions) == 1
    assert db.tables == set()


@on_both_frameworks
@on(BOTH_KINDS)
async def test_a_coroutine_can_go_on_with_the_database_after_a_command(
    framework: Framework, backend: Backend, engine_for: Any, tmp_path: Path
) -> None:
    """A command in a loop has a loop and connections of its own."""
    app = make_app(framework, tmp_path)
    alembic = Alembic(app, metadatas=metadata(), engines=engine_for(backend))
    write_history(tmp_path / "migrations")
    await alembic.upgrade("a1")
    assert invoke(app, "db", "upgrade", "b2").exit_code == 0
    assert [script.revision for script in await alembic.upgrade()] == ["c3"]


@on_every_app
@pytest.mark.parametrize("shell", [Alembic, SyncAlembic])
def test_the_group_can_have_another_name(
    db: Project, shell: type[Any], engines: EngineFactory
) -> None:
    app = make_app(cast("Framework", type(db.app).__name__.lower()), db.root)
    shell(app, metadatas=metadata(), engines=db.engine, command_name="migrate")
    assert invoke(app, "migrate", "upgrade", "+1").exit_code == 0
    assert db.versions == ["a1"]
    assert invoke(app, "db", "upgrade").exit_code == 2


@on_both_frameworks
def test_the_group_can_be_left_out(framework: Framework, tmp_path: Path) -> None:
    app: Any = make_app(framework, tmp_path)
    Alembic(app, command_name="")
    assert list(app.cli.commands) == []


@on_every_app
def test_one_app_can_have_two_groups(db: Project, engines: EngineFactory) -> None:
    """Each for the databases of its own extension, also when one follows the other."""
    backend = next(b for b in BOTH_KINDS if db.engine.url.drivername == b.drivername)
    second = engines(backend)
    Alembic(db.app, metadatas=metadata(), engines=second, command_name="second")
    assert invoke(db.app, "second", "upgrade", "+1").exit_code == 0
    assert db.look.versions(second) == ["a1"]
    assert db.versions == []
    db("upgrade", "b2")
    assert db.look.versions(second) == ["a1"]
    assert db.versions == ["b2"]


@on_every_app
def test_two_apps_can_share_one_extension(
    db: Project, engines: EngineFactory, tmp_path: Path
) -> None:
    """The group knows the app that it belongs to, with no context at hand."""
    url = f"sqlite:///{tmp_path / 'other.db'}"
    other = make_app("flask", tmp_path / "other", "other")
    other.config["ALEMBIC"] = {"sqlalchemy.url": url}
    alembic = Alembic(metadatas=metadata())
    alembic.init_app(other)
    third = make_app("quart", tmp_path / "third", "third")
    third.config["ALEMBIC"] = {"sqlalchemy.url": f"sqlite:///{tmp_path / 'third.db'}"}
    alembic.init_app(third)
    write_revision(tmp_path / "other/migrations", "o1")
    write_revision(tmp_path / "third/migrations", "t1")
    assert "upgrade o1" in invoke(other, "db", "upgrade").output
    assert "upgrade t1" in invoke(third, "db", "upgrade").output
    assert "-> o1 (head)" in invoke(other, "db", "current").output


@on_one_app
def test_progress_names_the_database_if_there_are_several(
    db: Project, engines: EngineFactory, tmp_path: Path
) -> None:
    app = make_app("flask", tmp_path / "several", "several")
    names = ["default", "other"]
    Alembic(
        app,
        metadatas={name: sa.MetaData() for name in names},
        engines={name: engines.synchronous(BOTH_KINDS[0]) for name in names},
    )
    write_revision(tmp_path / "several/migrations", "a1", args="engine_name")
    lines = invoke(app, "db", "upgrade").output.splitlines()

    for line, name in zip(lines, names, strict=True):
        assert re.fullmatch(rf"\[{name}\] upgrade a1, Revision a1\. {TIME}", line)


@on_every_app
def test_every_command_has_a_help_text(db: Project) -> None:
    listed = db("--help").split("Commands:\n")[1]
    names = re.findall(r"^  (\w+)  ", listed, re.MULTILINE)
    assert names == sorted(
        [
            *("branches", "check", "current", "downgrade", "heads", "log", "merge"),
            *("mkdir", "revision", "show", "stamp", "upgrade"),
        ]
    )

    for name in names:
        text = db(name, "--help").split("\n\n")[1]
        assert text.strip().endswith(".")


@on_one_app
@pytest.mark.parametrize(
    "args", [("upgrade", "a1", "b2"), ("revision",), ("bogus",), ("heads", "--bogus")]
)
def test_a_usage_error_points_to_the_help(db: Project, args: tuple[str, ...]) -> None:
    output = db(*args, fails=2)
    assert "--help" in output
    assert "Error: " in output


# Processes of their own

APP = """
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from {framework} import {Framework}
from async_alembic import Alembic

def create_app(name="shop"):
    app = {Framework}(name, root_path={root!r})
    metadata = sa.MetaData()
    sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
    engine = {make}({url!r})
    Alembic(app, metadatas=metadata, engines=engine)
    return app
"""
#: A line of ``python -X importtime``.
IMPORT = re.compile(r"^import time:[\s\d|]+\|\s+(\S+)$", re.MULTILINE)
MAKE = {False: "sa.create_engine", True: "create_async_engine"}


def run(root: Path, *args: str, check: bool = True) -> tuple[int, str, str]:
    """Run Python in a process of its own, where the module of the app is found.

    :return: The exit code, the output and the errors.
    """
    result = subprocess.run(
        [sys.executable, *args],
        cwd=root,
        env=_environ(root),
        capture_output=True,
        text=True,
        timeout=60,
    )
    errors = [line for line in result.stderr.splitlines() if not IMPORT.search(line)]
    assert not check or result.returncode == 0, errors
    return result.returncode, result.stdout, result.stderr


def modules_of(root: Path, *args: str) -> tuple[set[str], str]:
    """The modules that a process imports, and what it prints."""
    _, output, errors = run(root, "-X", "importtime", *args)
    return {*IMPORT.findall(errors)}, output


def _environ(root: Path) -> dict[str, str]:
    source = Path(async_alembic.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(source)])}


def write_app(
    framework: Framework, backend: Backend, root: Path, url: sa.URL | None = None
) -> None:
    """Write a module ``shop`` with an app factory."""
    url = url or sa.URL.create(backend.drivername, database=str(root / "shop.db"))
    text = APP.format(
        framework=framework,
        Framework=framework.title(),
        root=str(root),
        url=url.render_as_string(hide_password=False),
        make=MAKE[backend.is_async],
    )
    (root / "shop.py").write_text(text)


@pytest.mark.parametrize(
    ("framework", "backend"),
    [("flask", BOTH_KINDS[0]), ("quart", BOTH_KINDS[1])],
    ids=str,
    indirect=["backend"],
)
def test_the_command_line_finds_an_app_factory(
    framework: Framework, backend: Backend, tmp_path: Path
) -> None:
    write_app(framework, backend, tmp_path)
    db = ["-m", framework, "--app", "shop:create_app", "db"]
    _, output, errors = run(tmp_path, *db, "revision", "make users")
    assert re.fullmatch(r"Created migrations/\d+_make_users\.py\n", output)
    assert errors == ""
    _, output, errors = run(tmp_path, *db, "upgrade")
    assert re.fullmatch(rf"upgrade \d+, make users {TIME}\n", output)
    assert errors == ""
    code, output, errors = run(tmp_path, *db, "upgrade", "x9", check=False)
    assert code == 1
    assert output == ""
    assert errors.startswith("Error: There is no revision or branch 'x9'.")
    assert errors.count("\n") == 1


@on_both_frameworks
def test_a_factory_can_be_called_with_arguments(
    framework: Framework, tmp_path: Path
) -> None:
    write_app(framework, BOTH_KINDS[0], tmp_path)
    db = ["-m", framework, "--app", "shop:create_app('stock')", "db"]
    assert run(tmp_path, *db, "heads") == (0, "", "")


#: Of each database, a statement that takes half a minute.
LONG = {
    "postgresql": "SELECT pg_sleep(30)",
    "mariadb": "SELECT SLEEP(30)",
    "sqlite": (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3e8)"
        " SELECT count(*) FROM c"
    ),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("framework", "backend"),
    [
        ("flask", BOTH_KINDS[0]),
        ("quart", BOTH_KINDS[1]),
        ("quart", by_id("postgresql-asyncpg")),
        ("flask", by_id("postgresql-psycopg2")),
        ("flask", by_id("postgresql-psycopg")),
        ("flask", by_id("mariadb-pymysql")),
        ("quart", by_id("mariadb-asyncmy")),
    ],
    ids=str,
    indirect=["backend"],
)
def test_a_signal_ends_an_upgrade_and_leaves_the_database_as_it_was(
    number: signal.Signals,
    framework: Framework,
    backend: Backend,
    engines: EngineFactory,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> None:
    """Also in the middle of a statement, and with a driver that does not listen."""
    engine = engines(backend)
    started = tmp_path / "started"
    long = f"op.execute({LONG[backend.database]!r})"
    write_app(framework, backend, tmp_path, engine.url)
    write_revision(tmp_path / "migrations", "a1", None, create_table("users"))
    write_revision(
        tmp_path / "migrations",
        "b2",
        "a1",
        f"pathlib.Path({str(started)!r}).touch()\n{long}",
        top="import pathlib, time",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", framework, "--app", "shop:create_app", "db", "upgrade"],
        cwd=tmp_path,
        env=_environ(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    with process:
        _wait_for(started, process)
        time.sleep(0.1)
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)

    assert process.returncode == 128 + number
    assert "Traceback" not in errors
    assert errors.endswith("Interrupted. No more is changed.\n")
    assert output.endswith("interrupted\n")
    look = Caller(runner, False)

    # Elsewhere, DDL commits.
    if backend.database != "mariadb":
        assert look.versions(engine) == []
        assert look.tables(engine) == set()


@pytest.mark.parametrize("ignored", [None, signal.SIGINT], ids=str)
def test_a_signal_that_comes_again_breaks_nothing(
    ignored: signal.Signals | None, tmp_path: Path
) -> None:
    """It may hit the event loop anywhere, whose thread goes on. What a shell has put in
    the background ignores Ctrl-C, and yet is to roll back.
    """
    process = _upgrade_slowly(BOTH_KINDS[0], "time.sleep(1)", tmp_path, ignored)

    with process:
        _wait_for(tmp_path / "started", process)

        for _ in range(10):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.01)

        _, errors = process.communicate(timeout=60)

    assert errors.endswith("Interrupted. No more is changed.\n")
    assert "Traceback" not in errors
    assert process.returncode == 128 + signal.SIGTERM
    assert execute(sa.make_url(f"sqlite:///{tmp_path}/shop.db"), TABLES) == []


def test_a_second_signal_ends_what_keeps_the_loop_from_hearing_of_the_first(
    tmp_path: Path,
) -> None:
    process = _upgrade_slowly(BOTH_KINDS[1], "while True: pass", tmp_path)

    with process:
        _wait_for(tmp_path / "started", process)
        process.send_signal(signal.SIGINT)

        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)

        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)

    assert errors.endswith("Interrupted. No more is changed.\n")
    assert process.returncode == 128 + signal.SIGINT
    assert execute(sa.make_url(f"sqlite:///{tmp_path}/shop.db"), TABLES) == []


@on_one_app
def test_a_signal_ends_what_needs_no_database(db: Project) -> None:
    def rev_id() -> str:
        signal.raise_signal(signal.SIGTERM)
        return "d4"

    db.alembic.rev_id = rev_id  # type: ignore[method-assign]
    files = {*db.migrations.iterdir()}
    output = db("revision", "more", "--empty", fails=128 + signal.SIGTERM)
    assert output == "Interrupted. No more is changed.\n"
    assert {*db.migrations.iterdir()} == files


@on_one_app
def test_a_command_can_be_run_in_another_thread(db: Project) -> None:
    """Only the main thread may set handlers of signals."""
    with ThreadPoolExecutor(1) as executor:
        assert (
            executor.submit(db, "heads").result() == "b2 -> c3 (head), Revision c3.\n"
        )


TABLES = "SELECT name FROM sqlite_master"


def _upgrade_slowly(
    backend: Backend, code: str, tmp_path: Path, ignored: signal.Signals | None = None
) -> subprocess.Popen[str]:
    """Start an upgrade that makes a table, then the file "started", and does that."""
    write_app("flask", backend, tmp_path)
    touch = f"pathlib.Path({str(tmp_path / 'started')!r}).touch()"
    steps = "\n".join([create_table("users"), touch, code])
    folder = tmp_path / "migrations"
    write_revision(folder, "a1", None, steps, top="import pathlib, time")

    def ignore() -> None:
        if ignored is not None:
            signal.signal(ignored, signal.SIG_IGN)

    return subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "shop:create_app", "db", "upgrade"],
        cwd=tmp_path,
        env=_environ(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=ignore,
    )


def _wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(400):
        if file.exists() or process.poll() is not None:
            break

        time.sleep(0.05)

    assert file.exists(), process.communicate()


# What it costs to have the group

HEAVY = {
    *("alembic", "mako", "aiosqlite", "asyncpg", "psycopg", "psycopg2"),
    *("pymysql", "asyncmy", "aiomysql"),
}
LAZY_APP = """
import sqlalchemy as sa
from {framework} import {Framework}
from async_alembic import Alembic, SyncAlembic

app = {Framework}("shop", root_path={root!r})
app.config["ALEMBIC"] = {{"sqlalchemy.url": "sqlite+aiosqlite:///shop.db"}}
{shell}(app, metadatas=sa.MetaData())
"""


@pytest.mark.parametrize(
    ("framework", "shell", "args"),
    [
        ("flask", "Alembic", ("--help",)),
        ("flask", "SyncAlembic", ("db", "--help")),
        ("quart", "Alembic", ("--help",)),
        ("quart", "SyncAlembic", ("db", "upgrade", "--help")),
        ("quart", "Alembic", ("-c", "import shop")),
    ],
)
def test_alembic_is_not_loaded_before_a_command_needs_it(
    framework: Framework, shell: str, args: tuple[str, ...], tmp_path: Path
) -> None:
    """An app imports the extension at each start, and ``--help`` is to be quick."""
    text = textwrap.dedent(LAZY_APP).format(
        framework=framework,
        Framework=framework.title(),
        root=str(tmp_path),
        shell=shell,
    )
    (tmp_path / "shop.py").write_text(text)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/script.py.mako").touch()
    write_revision(tmp_path / "migrations", "a1")

    if args[0] != "-c":
        args = ("-m", framework, "--app", "shop", *args)

    modules, output = modules_of(tmp_path, *args)
    assert "async_alembic.extension.awaited" in modules
    assert not modules & HEAVY
    assert ("db" in output) == (args[0] != "-c")


def test_the_import_of_the_package_loads_no_framework(tmp_path: Path) -> None:
    modules, _ = modules_of(tmp_path, "-c", "import async_alembic")
    assert not modules & {*HEAVY, "flask", "quart"}


def test_an_app_on_flask_does_not_load_quart(tmp_path: Path) -> None:
    write_app("flask", BOTH_KINDS[1], tmp_path)
    write_revision(tmp_path / "migrations", "a1")
    args = ("-m", "flask", "--app", "shop:create_app", "db", "upgrade")
    modules, output = modules_of(tmp_path, *args)
    assert "upgrade a1" in output
    assert "quart" not in modules


# the app's context


@on_every_app
def test_a_revision_can_use_the_current_app(db: Project, framework: Framework) -> None:
    """Histories of Flask-Migrate do: there every command runs in the app's context."""
    db.app.config["TENANT"] = "blue"
    code = f"from {framework} import current_app\n" + create_table("blue").replace(
        "'blue'", "current_app.config['TENANT']"
    )
    write_revision(db.migrations, "d4", "c3", code)
    db("upgrade")
    assert "blue" in db.tables


@on_every_app
def test_the_context_ends_with_the_command(db: Project) -> None:
    ended = []
    db.app.teardown_appcontext(lambda error: ended.append(error))
    db("upgrade")
    assert ended == [None]


@on(BOTH_KINDS)
def test_a_teardown_function_for_flask_does_not_fail_a_command_under_quart(
    backend: Backend, project_for: ProjectFactory
) -> None:
    """As that of Flask-SQLAlchemy-Lite, after the work was done."""
    db = project_for("quart", backend)
    write_history(db.migrations)

    @db.app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        from flask import g

        g.pop("session", None)

    db("upgrade")
    assert db.versions == ["c3"]
