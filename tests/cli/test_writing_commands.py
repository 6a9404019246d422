"""``mkdir``, ``revision`` and ``merge``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import comparators
from alembic.util import to_tuple

from ..backends import Backend
from ..harness import create_table
from ..harness import Framework
from ..harness import write_revision
from ..projects import AS_ALEMBIC
from .project import on_every_app
from .project import on_one_app
from .project import Project
from .project import ProjectFactory


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


@on_one_app
@pytest.mark.parametrize(("has_question", "times"), [(False, 1), (True, 2)])
def test_on_a_terminal_revision_compares_once_and_again_with_answers(
    db: Project, monkeypatch: pytest.MonkeyPatch, has_question: bool, times: int
) -> None:
    """To compare takes seconds for hundreds of tables."""
    monkeypatch.setattr("async_alembic.cli.generate.is_terminal", lambda: True)
    monkeypatch.setattr("click.prompt", lambda *args, **kwargs: "none")
    db("stamp")

    if has_question:
        db.look.execute(db.engine, "CREATE TABLE old (id INTEGER PRIMARY KEY)")

    compared = []

    def include_object(item: Any, name: Any, type_: str, *args: object) -> bool:
        if (type_, name) == ("table", "users"):
            compared.append(name)

        return True

    db.app.config["ALEMBIC_CONTEXT"] = {"include_object": include_object}
    output = db("revision", "users")
    assert "Created" in output
    assert ("no revision has created them:" in output) is has_question
    assert len(compared) == times


@on_every_app
def test_revision_lists_what_it_has_detected_and_what_of_it_loses_data(
    db: Project,
) -> None:
    """On the screen, as data, and in the file."""
    db("stamp")
    db.look.execute(
        db.engine,
        "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9))",
        "CREATE TABLE posts (id VARCHAR(5) NOT NULL PRIMARY KEY)",
        "CREATE TABLE old (id INTEGER PRIMARY KEY)",
    )
    db.app.config |= AS_ALEMBIC
    output = db("revision", "clean up")
    *lines, created = output.splitlines()
    drops_name = "drops the column 'users.name' with its data"
    assert {*lines} == {
        "  add table tags",
        "  remove table old (loses data: drops the table 'old' with its rows)",
        f"  remove column users.name (loses data: {drops_name})",
        "  modify type posts.id (loses data: makes the type of 'posts.id' narrower:"
        " VARCHAR(5) -> INTEGER)",
    }
    text = Path(created.removeprefix("Created ")).read_text()
    upgrade, downgrade = text.split("def downgrade")
    assert upgrade.count("# Loses data: ") == 3
    assert f"        # Loses data: {drops_name}.\n        batch_op.drop" in upgrade
    assert "data: " not in downgrade
    db("upgrade")
    assert db("check") == "No changes detected.\n"


@on_every_app
def test_revision_says_what_may_lose_data(db: Project) -> None:
    """Whether it does depends on the data."""
    db("stamp")
    db.look.execute(
        db.engine,
        "CREATE TABLE users (id JSON NOT NULL PRIMARY KEY)",
        "CREATE TABLE posts (id INTEGER NOT NULL PRIMARY KEY)",
        "CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY)",
    )
    output = db("revision", "change", "--json")
    (revision,) = json.loads(output)["result"]["revisions"]
    (change,) = revision["changes"]
    assert change["description"] == "modify type users.id"
    assert change["database"] == "default"
    assert change["losses"] == [
        {
            "reason": "changes the type of 'users.id': JSON -> INTEGER",
            "is_certain": False,
        }
    ]
    assert "# May lose data: changes" in Path(revision["path"]).read_text()


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
        "No changes detected, so no revision was written. With '--empty', one is.\n"
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


@on_one_app
def test_elsewhere_an_option_says_what_to_drop(
    framework: Framework, backend: Backend, project_for: ProjectFactory
) -> None:
    db = project_for(framework, backend)
    db.look.execute(db.engine, "CREATE TABLE b (id int)", "CREATE TABLE c (id int)")
    text = db.created(db("revision", "make tables", "--drop", "c"))
    assert "    op.drop_table('c')" in text
    assert "    # op.drop_table('b')" in text
    db("upgrade")
    assert db.tables == {"b", "users", "posts", "tags"}
    assert "'x'" in db("revision", "more", "--drop", "x", fails=1)


@pytest.mark.skipif(
    not hasattr(comparators, "populate_with"),
    reason="Plugins are new in Alembic 1.18.",
)
@on_every_app
def test_an_option_says_what_was_renamed(db: Project) -> None:
    db("upgrade")
    db.look.execute(db.engine, "ALTER TABLE tags RENAME TO labels")
    output = db("revision", "rename", "--rename", "labels:tags")
    assert output.startswith("  rename table labels to tags\n")
    assert "    op.rename_table('labels', 'tags')" in db.created(output)
    db("upgrade")
    assert db.tables == {"users", "posts", "tags"}
    assert "'x'" in db("revision", "more", "--rename", "x:y", fails=1)


@on_every_app
def test_a_revision_needs_no_database_that_is_up_to_date(db: Project) -> None:
    """The history makes what the models have, and one table more."""
    write_revision(db.migrations, "d4", "c3", create_table("old"))
    output = db("revision", "--against-history", "clean up")
    assert output.startswith("  remove table old")
    assert "drop_table('old')" in db.created(output)
    assert db.tables == set()
