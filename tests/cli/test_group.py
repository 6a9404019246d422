"""The group of commands as a whole, and the context of the app in which they run."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import SyncAlembic

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import create_table
from ..harness import Framework
from ..harness import make_app
from ..harness import on_both_frameworks
from ..harness import write_revision
from .project import BOTH_KINDS
from .project import invoke
from .project import metadata
from .project import on_every_app
from .project import on_one_app
from .project import Project
from .project import ProjectFactory
from .project import TIME
from .project import write_history

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
    names = re.findall(r"^  ([\w-]+)  ", listed, re.MULTILINE)
    assert names == sorted(
        [
            *("branches", "check", "current", "downgrade", "drop-all", "edit"),
            *("ensure-version", "heads", "init", "list-templates", "log", "merge"),
            *("adopt", "rebase", "squash"),
            *(
                "mkdir",
                "move-in",
                "plan",
                "revision",
                "show",
                "stamp",
                "status",
                "upgrade",
                "wait",
            ),
        ]
    )

    for name in names:
        text = db(name, "--help").split("\n\n")[1]
        assert text.strip().endswith(".")


@on_one_app
@pytest.mark.parametrize(
    "args", [("upgrade", "a1", "b2"), ("check", "a1"), ("bogus",), ("heads", "--bogus")]
)
def test_a_usage_error_points_to_the_help(db: Project, args: tuple[str, ...]) -> None:
    output = db(*args, fails=2)
    assert "--help" in output
    assert "Error: " in output


@on_one_app
def test_a_command_can_be_run_in_another_thread(db: Project) -> None:
    """Only the main thread may set handlers of signals."""
    with ThreadPoolExecutor(1) as executor:
        assert (
            executor.submit(db, "heads").result() == "b2 -> c3 (head), Revision c3.\n"
        )


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
