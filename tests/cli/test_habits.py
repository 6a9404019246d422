"""What users of Alembic, Flask-Migrate, Flask-Alembic and Advanced Alchemy type."""

from __future__ import annotations

import re
import shlex

import pytest
import sqlalchemy as sa

from async_alembic import Alembic

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import Framework
from ..harness import make_app
from ..harness import write_revision
from .project import BOTH_KINDS
from .project import invoke
from .project import on_every_app
from .project import on_one_app
from .project import Project
from .project import ProjectFactory

#: On either framework, each with an engine of another kind.
on_two_apps = pytest.mark.parametrize(
    ("framework", "backend"),
    [("flask", BOTH_KINDS[0]), ("quart", BOTH_KINDS[1])],
    ids=str,
    indirect=["backend"],
)
#: Of what reads: what is typed where "b2" is the current revision, and the ids that are
#: printed.
READING = {
    "history": ["c3", "b2", "a1"],
    "history -r a1:b2": ["b2", "a1"],
    "history --rev-range b2:": ["c3", "b2"],
    "log -r :b2": ["b2", "a1"],
    "history -r current:": ["c3", "b2"],
    "history -r -1:": ["c3", "b2"],
    "history --database default -r :current": ["b2", "a1"],
    "current --bind-key default": ["b2"],
    "show-current-revision": ["b2"],
    "show-current-revision --verbose": ["b2"],
    "show a1": ["a1"],
    "show heads": ["c3"],
    "show -1": ["b2"],
    "history -r a1:+1": ["b2", "a1"],
    "history -r a1:a1+1": ["b2", "a1"],
    "show a1 c3": ["a1", "c3"],
    "heads --bind-key default --verbose": ["c3"],
}
#: Of what migrates: what is typed at "b2", and where that leads.
MIGRATING = {
    "upgrade head": ["c3"],
    "-x key=value upgrade": ["c3"],
    "upgrade -x key=value --x-arg other": ["c3"],
    "upgrade --bind-key default --no-prompt head": ["c3"],
    "downgrade --no-prompt -1": ["a1"],
    "downgrade -x a -1": ["a1"],
    "stamp head": ["c3"],
    "stamp --purge --bind-key default a1": ["a1"],
    "--raiseerr upgrade +1": ["c3"],
    "-q upgrade": ["c3"],
    "ensure_version": ["b2"],
    "ensure-version": ["b2"],
}
#: Of what writes a revision: what is typed at "c3", and what is in the file.
WRITING = {
    "revision -m words": "words",
    "revision --message words": "words",
    "revision -m words --autogenerate": "create_table",
    "migrate -m words": "create_table",
    "migrate": "empty message",
    "make-migrations -m words --autogenerate --no-prompt": "create_table",
    "make-migrations -m words --no-autogenerate": "pass",
    "revision -m words --rev-id d4": "revision: str = 'd4'",
    "migrate -m words --head c3": "'c3'",
    "migrate -m words --head b2 --splice": "'b2'",
    "revision -m words --branch-label blue": "('blue',)",
    "revision -m words --depends-on a1": "depends_on: Union",
    "migrate -m words --version-path migrations": "words",
    "migrate -x a=b -m words": "words",
    "merge --branch-label blue --rev-id m1 -m words c3 d1": "'m1'",
    "merge --no-prompt --bind-key default c3 d1": "('c3', 'd1')",
}


@on_two_apps
@pytest.mark.parametrize("typed", READING)
def test_what_others_type_to_look_works(db: Project, typed: str) -> None:
    db("upgrade", "b2")
    found = re.findall(r"(?:-> |Rev: )(\w+)", db(*shlex.split(typed)))
    assert found == READING[typed]


@on_two_apps
@pytest.mark.parametrize("typed", MIGRATING)
def test_what_others_type_to_migrate_works(db: Project, typed: str) -> None:
    db("upgrade", "b2")
    db(*shlex.split(typed))
    assert db.versions == MIGRATING[typed]


@on_one_app
@pytest.mark.parametrize("typed", WRITING)
def test_what_others_type_to_write_a_revision_works(db: Project, typed: str) -> None:
    db("stamp")

    if typed.startswith("merge"):
        write_revision(db.migrations, "d1", "b2")

    assert WRITING[typed] in db.created(db(*shlex.split(typed)))


@on_one_app
@pytest.mark.parametrize(
    ("typed", "code", "expected"),
    [
        ("histry", 2, "Did you mean 'history'?"),
        ("upgrad", 2, "Did you mean 'upgrade'?"),
        ("curent --verbose", 2, "Did you mean 'current'?"),
        ("up", 2, "Did you mean 'upgrade'?"),
        ("UPGRADE", 2, "Did you mean 'upgrade'?"),
        ("rev -m words", 2, "Did you mean 'revision'?"),
        ("migrate -m words --sql", 2, "use '--empty'"),
        ("ensure-version --sql", 2, "'db upgrade --sql'"),
        ("edit base", 2, "no file to open"),
        ("upgrade --resme", 2, "--resume"),
        ("upgrade head --resme", 2, "--resume"),
        ("upgrade b2 c3", 2, "unexpected extra argument (c3)"),
        ("upgrade -1", 1, "Run 'db downgrade -1'"),
        ("downgrade +1", 1, "Run 'db upgrade +1'"),
        ("downgrade", 1, "'default' is at base"),
        ("show +1", 1, "'+1' counts revisions"),
        ("stamp -1", 1, "'-1' counts revisions"),
        ("show -z", 2, "No such option"),
        ("downgrade --rety", 2, "--retry"),
        ("downgrade -z", 2, "No such option"),
        ("upgrade --database defalt", 1, "The databases are 'default'."),
        ("dump-data --table users", 2, "tool for dumps"),
        ("-c alembic.ini current", 2, "app.config['ALEMBIC']"),
        ("--config app.config current", 2, "app.config['ALEMBIC']"),
        ("-n section current", 2, "--database"),
        ("log -r a1", 2, "start:end"),
        ("revision -d . -m words", 2, "--directory"),
        ("revision words -m words", 2, "two messages"),
        ("init -t flask", 1, "generic or multidb"),
    ],
)
def test_what_does_not_work_leads_to_what_does(
    db: Project, typed: str, code: int, expected: str
) -> None:
    assert expected in db(*shlex.split(typed), fails=code)


@on_one_app
def test_the_variable_that_names_a_file_for_alembic_is_not_ignored_silently(
    db: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "ALEMBIC_CONFIG" not in db("heads")
    monkeypatch.setenv("ALEMBIC_CONFIG", "deploy/alembic.ini")
    assert db("heads").startswith("Warning: ALEMBIC_CONFIG ('deploy/alembic.ini') is")


@on_two_apps
def test_current_can_check_the_heads_by_a_letter(db: Project) -> None:
    db("current", "-c", fails=1)
    db("upgrade")
    assert "c3" in db("current", "-c")


@on_every_app
def test_the_log_marks_where_the_database_is(db: Project) -> None:
    db("upgrade", "b2")
    assert db("log", "-i").splitlines() == [
        "b2 -> c3 (head), Revision c3.",
        "a1 -> b2 (current), Revision b2.",
        "<base> -> a1, Revision a1.",
    ]
    assert "Rev: b2 (current)\n" in db("log", "--indicate-current", "--verbose")


@on_two_apps
@pytest.mark.parametrize("where", ["before", "after"])
def test_another_folder_can_be_named(
    db: Project, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(db.root)
    db("init", "other")
    write_revision(db.root / "other", "o1")
    directory = ["-d", "other"]
    args = [*directory, "heads"] if where == "before" else ["heads", *directory]
    assert "o1" in db(*args)
    assert "c3" in db("heads")
    args = ["revision", "words", "--empty", "--directory", "other"]
    assert "'o1'" in db.created(db(*args))


@on_every_app
def test_a_revision_gets_the_arguments_of_the_command_line(db: Project) -> None:
    code = "op.create_table(context.get_x_argument()[0], sa.Column('id', sa.Integer))"
    write_revision(db.migrations, "d4", "c3", code, top="from alembic import context")
    db("upgrade", "-x", "given")
    assert "given" in db.tables


@on_two_apps
@pytest.mark.parametrize("where", ["before", "after"])
def test_quiet_prints_only_what_is_asked_for(db: Project, where: str) -> None:
    def run(*args: str) -> str:
        return db(*(["-q", *args] if where == "before" else [*args, "--quiet"]))

    assert run("upgrade", "b2") == ""
    assert run("upgrade", "b2") == ""
    assert run("revision", "words", "--empty") == ""
    assert run("merge") == ""
    assert "b2" in run("current")


@on_two_apps
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_a_short_option_shows_the_help(db: Project, option: str) -> None:
    assert "history (log)" in db(option)
    assert "Show the history" in db("history", option)


@on_one_app
def test_the_versions_are_shown(db: Project) -> None:
    expected = r"async-alembic \S+, Alembic \S+, SQLAlchemy \S+\n"
    assert re.fullmatch(expected, db("--version"))


@on_one_app
def test_a_command_can_use_one_of_several_databases(
    db: Project, engines: EngineFactory
) -> None:
    app = make_app("flask", db.root / "several", "several")
    names = ["users", "orders"]
    Alembic(
        app,
        metadatas={name: sa.MetaData() for name in names},
        engines={name: engines.synchronous(BOTH_KINDS[0]) for name in names},
    )
    write_revision(db.root / "several/migrations", "a1", args="engine_name")
    lines = invoke(app, "db", "upgrade", "--database", "orders").output.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("upgrade a1")
    assert invoke(app, "db", "current").output.startswith("[orders] ")
    assert "(current: orders)" in invoke(app, "db", "log", "-i").output


@on_two_apps
@pytest.mark.parametrize("args", [["edit"], ["edit", "b2"], ["edit", "current"]])
def test_a_revision_is_opened_in_the_editor(
    db: Project, args: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s/Revision/Edited/")
    db("upgrade", "b2")
    db(*args)
    revision = "c3" if args == ["edit"] else "b2"
    edited = [p.stem for p in db.migrations.glob("*.py") if "Edited" in p.read_text()]
    assert edited == [revision]


@on_every_app
def test_tables_are_dropped_after_a_yes(db: Project) -> None:
    """Which names the database."""
    db("upgrade")
    runner = db.app.test_cli_runner()  # type: ignore[attr-defined]
    refused = runner.invoke(args=["db", "drop-all"], input="n\n")
    assert (refused.exit_code, db.versions) == (1, ["c3"])
    assert f"database 'default' ({db.engine.url})?" in refused.output
    assert "Nothing was dropped." in refused.output
    runner.invoke(args=["db", "drop-all"], input="y\n", catch_exceptions=False)
    assert (db.tables, db.versions) == (set(), [])


@on_one_app
@pytest.mark.parametrize("option", ["-y", "--yes", "--no-prompt"])
def test_tables_are_dropped_without_a_question(db: Project, option: str) -> None:
    db("upgrade")
    assert db("drop-all", option).startswith("Dropped from database 'default': ")
    assert db.tables == set()


@on_every_app
def test_the_script_directory_is_made_without_an_env_py(
    framework: Framework, backend: Backend, project_for: ProjectFactory
) -> None:
    db = project_for(framework, backend)
    output = db("init", "--package")
    assert [line.split("/")[-1] for line in output.splitlines()] == [
        *("README", "__init__.py")
    ]
    found = {path.name for path in db.migrations.iterdir()}
    assert found == {"README", "__init__.py", "script.py.mako"}
    assert db("init") == "Nothing to create.\n"
    assert "engine_name" not in (db.migrations / "script.py.mako").read_text()
    db("init", "--multidb")
    assert "engine_name" in (db.migrations / "script.py.mako").read_text()


@on_one_app
def test_an_edited_template_is_not_replaced(db: Project) -> None:
    template = db.migrations / "script.py.mako"
    template.write_text("mine")
    db("init")
    assert template.read_text() == "mine"
    assert "which was edited" in db("init", "-t", "generic", fails=1)
    assert template.read_text() == "mine"


@on_one_app
def test_the_template_can_be_from_a_folder(
    db: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (db.root / "mine").mkdir()
    (db.root / "mine/script.py.mako").write_text("mine")
    monkeypatch.chdir(db.root)
    assert "'script_location'] to 'new'" in db("init", "-t", "mine", "new")
    assert (db.root / "new/script.py.mako").read_text() == "mine"


@on_one_app
def test_the_templates_are_listed(db: Project) -> None:
    names = [line.split(" - ")[0] for line in db("list-templates").splitlines()]
    assert names == ["generic", "multidb"]
    assert db("list_templates") == db("list-templates")
