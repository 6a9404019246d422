"""Old revisions are replaced by one that makes the same schema."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import AsyncAlembicError
from async_alembic import PlanError
from async_alembic import RevisionError
from async_alembic import RevisionFileError
from async_alembic import SquashError
from async_alembic import UnknownRevisionInDatabaseError

from ..backends import Backend
from ..backends import BACKENDS
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..generating import table
from ..harness import awaited_only
from ..harness import blocking_only
from ..harness import Caller
from ..harness import ids
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from ..projects import Project
from ..servers import MariaDBServer
from ..servers import USER

ID = "sa.Column('id', sa.Integer, primary_key=True)"
#: The upgrades of a history, one after another.
HISTORY = {
    "a1": (
        f"op.create_table('users', {ID}, sa.Column('name', sa.String(20)),"
        " sa.Column('mood', sa.Enum('good', 'bad', name='mood')),"
        " sa.UniqueConstraint('name', name='uq_name'))\n"
        f"op.create_table('posts', {ID}, sa.Column('old', sa.Integer))"
    ),
    "b2": (
        "with op.batch_alter_table('posts') as batch:\n"
        "    batch.add_column(sa.Column('user_id', sa.Integer))\n"
        "    batch.drop_column('old')\n"
        "    batch.create_foreign_key('fk_user', 'users', ['user_id'], ['id'])\n"
        "op.create_index('ix_mood', 'users', ['mood', 'name'])"
    ),
    "c3": (
        "with op.batch_alter_table('users') as batch:\n"
        "    batch.alter_column('name', existing_type=sa.String(20), nullable=False,"
        " server_default='nobody')"
    ),
    "d4": f"op.create_table('tags', {ID}, sa.Column('at', sa.DateTime))",
}
#: How the names of scratch copies begin.
SCRATCH = "async_alembic_scratch_"
SQLITE = by_id("sqlite-sqlite3")
on_each_database = on([SQLITE, by_id("postgresql-asyncpg"), by_id("mariadb-pymysql")])


def write_history(folder: Path, history: dict[str, str], **options: Any) -> None:
    parent = None

    for revision, upgrade in history.items():
        write_revision(folder, revision, parent, upgrade, **options)
        parent = revision


@pytest.fixture
def project(
    tmp_path: Path,
    engines: EngineFactory,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    project = Project(tmp_path, engines, backend=backend)
    # Other tests that run at once make scratch copies, too.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    write_history(project.folder, HISTORY)
    drop = "op.drop_table('tags')"
    write_revision(project.folder, "d4", "c3", HISTORY["d4"], drop)
    return project


def schema(caller: Caller, project: Project) -> dict[str, Any]:
    """What SQLAlchemy reflects of the tables of users."""

    def read(connection: sa.Connection) -> dict[str, Any]:
        inspector = sa.inspect(connection)
        return {
            name: (
                {c["name"]: repr(c) for c in inspector.get_columns(name)},
                inspector.get_foreign_keys(name),
                inspector.get_indexes(name),
                inspector.get_unique_constraints(name),
            )
            for name in inspector.get_table_names()
            if name != "alembic_version"
        }

    found: dict[str, Any] = caller.begin(project.engine, read)
    return found


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize(("base", "replaced"), [("base", 3), ("a1", 2)])
def test_one_revision_makes_the_same_schema(
    base: str, replaced: int, backend: Backend, project: Project, caller: Caller
) -> None:
    """On a new database; one that was at the last of them goes on."""
    caller(project.alembic, "upgrade", "c3")
    before = schema(caller, project)
    done = caller(project.alembic, "squash", base, "c3", "all of it")
    assert len(done.replaced) == len(done.removed) == replaced
    assert Path(done.path).name == "c3_all_of_it.py"
    kept = ["a1"] if base == "a1" else []
    assert ids(caller(project.alembic, "log"))[::-1] == [*kept, "c3", "d4"]
    assert ids(caller(project.alembic, "upgrade")) == ["d4"]

    caller(project.alembic, "downgrade", "base" if base == "base" else "c3")

    if base == "base":
        assert caller.tables(project.engine) == set()
        assert ids(caller(project.alembic, "upgrade", "c3")) == ["c3"]

    assert schema(caller, project) == before


@on_each_database
@blocking_only
@pytest.mark.parametrize(
    ("line", "code"),
    [
        (1, "op.execute(\"UPDATE users SET name = 'Ada'\")"),
        (2, "users = sa.table('users', sa.column('id'))\nop.bulk_insert(users, [{}])"),
        (1, "op.get_bind().execute(sa.text('SELECT 1'))"),
        (1, "op.get_context().connection.execute(sa.text('SELECT 1'))"),
        (2, "with op.batch_alter_table('users') as b:\n    b.execute('SELECT 1')"),
        (1, "(lambda: op.execute('SELECT 1'))()"),
    ],
)
def test_what_is_no_operation_on_the_schema_is_named(
    line: int, code: str, backend: Backend, project: Project, caller: Caller
) -> None:
    """Nothing that is written from a schema could do it."""
    path = write_revision(project.folder, "b2", "a1", code)
    write_revision(project.folder, "c3", "b2")
    line += path.read_text().splitlines().index("def upgrade():") + 1
    before = project.files()

    with pytest.raises(SquashError, match="cannot be written again") as info:
        caller(project.alembic, "squash", "base", "c3")

    assert info.value.details == (f"{path}:{line}",)
    assert project.files() == before


@on([SQLITE])
@blocking_only
def test_a_statement_that_is_not_executed_does_not_count(
    backend: Backend, project: Project, caller: Caller
) -> None:
    """What is run counts, and not what the file says."""
    code = "if False:\n    op.execute('SELECT 1')"
    write_revision(project.folder, "b2", "a1", code)
    write_revision(project.folder, "c3", "b2")
    write_revision(project.folder, "d4", "c3")
    caller(project.alembic, "squash", "base", "d4")
    assert ids(caller(project.alembic, "upgrade")) == ["d4"]


@on([SQLITE])
@blocking_only
def test_data_before_and_after_what_is_squashed_stay(
    backend: Backend, project: Project, caller: Caller
) -> None:
    code = 'op.execute("INSERT INTO tags (id) VALUES (1)")'
    write_revision(project.folder, "e5", "d4", code)
    caller(project.alembic, "squash", "a1", "d4")
    caller(project.alembic, "upgrade")
    assert caller.query(project.engine, "SELECT id FROM tags") == [(1,)]


@on([by_id("postgresql-asyncpg"), SQLITE])
@blocking_only
def test_what_a_comparison_does_not_see_is_refused(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """What differs is named, and nothing is written."""
    project = Project(tmp_path, engines, backend=backend)
    create, lost = {
        # The sequence of a table keeps its name.
        "postgresql": (
            f"op.create_table('t', {ID})\nop.rename_table('t', 'u')",
            "- sequence t_id_seq",
        ),
        "sqlite": (
            f"op.create_table('t', {ID}, sa.Column('n', sa.String))\n"
            "op.create_index('ix', 't', [sa.text('lower(n)')])",
            "- index ix",
        ),
    }[backend.database]
    write_revision(project.folder, "a1", None, create)
    write_revision(project.folder, "b2", "a1")
    before = project.files()

    with pytest.raises(SquashError, match="would make another schema") as info:
        caller(project.alembic, "squash", "base", "b2")

    assert any(line.startswith(lost) for line in info.value.details)
    assert project.files() == before


@on([SQLITE])
@blocking_only
@pytest.mark.parametrize(
    "rename",
    [
        "op.rename_table('users', 'people')",
        "op.alter_column('users', 'name', new_column_name='called')",
        "with op.batch_alter_table('users') as batch:\n"
        "    batch.alter_column('name', new_column_name='called')",
    ],
)
def test_what_renames_something_with_rows_is_refused(
    rename: str, backend: Backend, project: Project, caller: Caller
) -> None:
    """A comparison would drop the column, with what is in it."""
    path = write_revision(project.folder, "b2", "a1", rename)
    write_revision(project.folder, "c3", "b2")

    with pytest.raises(SquashError, match="cannot be written again") as info:
        caller(project.alembic, "squash", "a1", "c3")

    assert info.value.details[0].startswith(f"{path}:")
    write_revision(project.folder, "d4", "c3")


@on([SQLITE])
@blocking_only
@pytest.mark.parametrize(
    "last",
    [
        "with op.batch_alter_table('users') as batch:\n"
        "    batch.alter_column('plan', server_default=None)",
        "op.drop_column('users', 'plan')\n"
        "op.add_column('users', sa.Column('plan', sa.String(10)))",
    ],
    ids=["default", "again"],
)
def test_what_two_steps_leave_in_rows_is_refused(
    last: str, backend: Backend, project: Project, caller: Caller
) -> None:
    """Rows that were there have the default of the first step."""
    column = "sa.Column('plan', sa.String(10), server_default='free')"
    write_revision(project.folder, "b2", "a1", f"op.add_column('users', {column})")
    path = write_revision(project.folder, "c3", "b2", last)
    before = project.files()

    with pytest.raises(SquashError, match="cannot be written again") as info:
        caller(project.alembic, "squash", "a1", "c3")

    assert info.value.details[0].startswith(f"{path}:")
    assert project.files() == before
    caller(project.alembic, "squash", "base", "c3")


@on_each_database
@blocking_only
def test_a_database_in_between_is_named(
    backend: Backend, project: Project, caller: Caller
) -> None:
    caller(project.alembic, "upgrade", "b2")
    before = project.files()

    with pytest.raises(RevisionError, match="'default' is at revision b2.*upgrade c3'"):
        caller(project.alembic, "squash", "base", "c3")

    assert project.files() == before


@on_each_database
@blocking_only
def test_a_database_that_was_not_reached_is_told_what_to_do(
    backend: Backend, project: Project, engines: EngineFactory, caller: Caller
) -> None:
    """It is at a revision that is gone, which stays told."""
    other = Project(project.root, engines, backend=backend)
    caller(other.alembic, "upgrade", "b2")
    caller(project.alembic, "squash", "base", "c3")

    with pytest.raises(
        UnknownRevisionInDatabaseError, match="at revision b2, which was squashed into"
    ):
        caller(other.alembic, "upgrade")


@on([SQLITE])
@blocking_only
@pytest.mark.parametrize(
    ("base", "revision", "error"),
    [
        ("base", "a1", "not two revisions"),
        ("c3", "d4", "not two revisions"),
        ("d4", "c3", "does not come before"),
        ("x9", "c3", "no revision or branch 'x9'"),
        ("base", "d4", "Revision e5 comes after b2"),
        ("base", "m6", "m6 also comes after o5"),
    ],
)
def test_what_is_not_one_piece_is_refused(
    base: str,
    revision: str,
    error: str,
    backend: Backend,
    project: Project,
    caller: Caller,
) -> None:
    if "e5" in error:
        write_revision(project.folder, "e5", "b2")

    if revision == "m6":
        base = "a1"
        write_revision(project.folder, "o5", labels=["other"])
        write_revision(project.folder, "m6", ("d4"), depends_on="o5")

    with pytest.raises(RevisionError, match=error):
        caller(project.alembic, "squash", base, revision)


@on([SQLITE])
@blocking_only
def test_the_labels_and_the_folder_stay(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(
        tmp_path,
        engines,
        backend=backend,
        linear=True,
        version_locations=[("shop", "shop")],
    )
    write_revision(project.folder, "a1")
    write_revision(tmp_path / "shop", "s1", None, HISTORY["d4"], labels=["shop"])
    write_revision(tmp_path / "shop", "s2", "s1")
    done = caller(project.alembic, "squash", "base", "s2")
    assert Path(done.path).parent == tmp_path / "shop"
    [script] = caller(project.alembic, "show", "shop@head")
    assert script.revision == "s2"
    assert len(caller(project.alembic, "heads")) == 2
    caller(project.alembic, "upgrade")


@on_each_database
@blocking_only
def test_several_databases_are_squashed_together(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    metadatas = {"default": table("users"), "other": table("events")}
    project = Project(tmp_path, engines, backend=backend, metadatas=metadatas)
    caller(project.alembic, "revision", "tables", rev_id="a1")
    caller(project.alembic, "upgrade")
    metadatas["other"].tables["events"].append_column(sa.Column("at", sa.DateTime))
    caller(project.alembic, "revision", "more", rev_id="b2")
    caller(project.alembic, "upgrade")
    caller(project.alembic, "squash", "base", "b2")
    caller(project.alembic, "downgrade", "base")
    assert ids(caller(project.alembic, "upgrade")) == ["b2"]
    assert caller.tables(project.engines["default"]) == {"users"}
    assert caller.columns(project.engines["other"], "events") == {"id", "at"}


@on([SQLITE])
@blocking_only
def test_tables_that_are_dropped_are_dropped_by_the_new_revision(
    backend: Backend, project: Project, caller: Caller
) -> None:
    """However the revisions before have made them."""
    path = write_revision(project.folder, "a1", None, "op.create_table(*ARGS)")
    args = f"ARGS = 'users', {ID}\ndef upgrade"
    path.write_text(path.read_text().replace("def upgrade", args))
    write_revision(project.folder, "b2", "a1", "op.drop_table('users')")
    write_revision(project.folder, "c3", "b2")
    caller(project.alembic, "upgrade", "a1")
    caller(project.alembic, "squash", "a1", "c3")
    caller(project.alembic, "upgrade", "c3")
    assert caller.tables(project.engine) == set()


@on([SQLITE])
@blocking_only
@pytest.mark.parametrize("removed", range(3))
def test_an_interruption_can_be_told_and_repaired(
    removed: int,
    backend: Backend,
    project: Project,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The new file is written and verified before the first old one is removed."""
    unlink, left = os.unlink, [*range(removed)]

    def fail(path: Any, **kwargs: Any) -> None:
        if Path(path).parent == project.folder and not str(path).endswith("c"):
            if not left:
                raise KeyboardInterrupt

            left.pop()

        unlink(path, **kwargs)

    monkeypatch.setattr(os, "unlink", fail)

    with pytest.raises(KeyboardInterrupt):
        caller(project.alembic, "squash", "base", "c3")

    monkeypatch.undo()

    for method in "upgrade", "heads":
        with pytest.raises(RevisionFileError, match="squash was interrupted") as info:
            caller(project.alembic, method)

        assert "squash_3_revisions.py" in str(info.value)
        assert "the other files of the revisions a1, b2, c3" in str(info.value)

    for revision in "a1", "b2", "c3":
        (project.folder / f"{revision}.py").unlink(missing_ok=True)

    assert ids(caller(project.alembic, "upgrade")) == ["c3", "d4"]


@on_each_database
@blocking_only
@pytest.mark.parametrize("fails", [False, True])
def test_a_squash_leaves_nothing(
    backend: Backend, fails: bool, project: Project, caller: Caller
) -> None:
    if fails:
        write_revision(project.folder, "e5", "d4", "op.drop_table('nothing')")

    with pytest.raises(AsyncAlembicError) if fails else nullcontext():
        caller(project.alembic, "squash", "base", "d4")

    assert scratch_copies(caller, project) == []


@awaited_only
@on(ONE_OF_EACH_KIND[2:])
def test_a_cancelled_squash_leaves_nothing(
    backend: Backend, project: Project, caller: Caller
) -> None:
    """Whatever it does, from the first copy to the end."""
    before = project.files()

    async def cancel() -> None:
        for delay in range(3):
            task = asyncio.create_task(project.alembic.squash("base", "d4"))
            await asyncio.sleep(0.1 * delay)
            task.cancel()

            with pytest.raises(asyncio.CancelledError):
                await task

    caller.run(cancel())
    assert scratch_copies(caller, project) == []
    assert project.files() == before


@on([b for b in BACKENDS if b.in_memory])
def test_databases_in_memory_have_no_copy(
    backend: Backend, project: Project, caller: Caller
) -> None:
    with pytest.raises(PlanError, match="in memory"):
        caller(project.alembic, "squash", "base", "d4")


@on([SQLITE])
@blocking_only
def test_a_squash_connects_as_the_app_does(
    backend: Backend, project: Project, caller: Caller
) -> None:
    """With what its listeners load and set, also for what they know nothing of."""
    paths = []

    @sa.event.listens_for(project.engine, "connect")
    def note(connection: Any, record: object) -> None:
        (row,) = connection.execute("PRAGMA database_list").fetchall()
        paths.append(row[2])

    caller(project.alembic, "squash", "base", "d4")
    assert len({path for path in paths if SCRATCH in path}) == 3


@on([SQLITE])
@blocking_only
def test_a_revision_that_uses_the_engine_of_the_app_does_not_reach_it(
    backend: Backend,
    project: Project,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("engine_of_app")
    monkeypatch.setitem(sys.modules, "engine_of_app", module)
    vars(module)["engine"] = project.engine
    code = (
        "from engine_of_app import engine\n"
        "with engine.begin() as connection:\n"
        "    connection.exec_driver_sql('CREATE TABLE lost (id INT)')"
    )
    write_revision(project.folder, "b2", "a1", code)

    with pytest.raises(PlanError, match="a revision uses the app's engine"):
        caller(project.alembic, "squash", "base", "c3")

    assert caller.tables(project.engine) == set()


@on([by_id("mariadb-pymysql")])
@blocking_only
def test_a_missing_privilege_is_one_sentence(
    backend: Backend,
    project: Project,
    caller: Caller,
    mariadb_server: MariaDBServer,
) -> None:
    grant = f"ALL ON `async\\_alembic\\_scratch\\_%`.* {{}} {USER}@'127.0.0.1'"
    mariadb_server.execute(f"REVOKE {grant.format('FROM')}")

    try:
        with pytest.raises(PlanError, match=r"Access denied.*GRANT ALL ON .*\*\.$"):
            caller(project.alembic, "squash", "base", "d4")
    finally:
        mariadb_server.execute(f"GRANT {grant.format('TO')}")


def scratch_copies(caller: Caller, project: Project) -> list[str]:
    queries = {
        "postgresql": "SELECT datname FROM pg_database",
        "mysql": "SHOW DATABASES",
    }

    if query := queries.get(project.engine.dialect.name):
        found = [name for (name,) in caller.query(project.engine, query)]
    else:
        found = [path.name for path in Path(tempfile.gettempdir()).iterdir()]

    return [name for name in found if SCRATCH in name]
