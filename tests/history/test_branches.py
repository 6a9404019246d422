"""Named branches, and histories that other tools have begun."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from hypothesis import example
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic import AsyncAlembicError
from async_alembic import MultipleHeadsError
from async_alembic import RevisionError
from async_alembic import RevisionNotFoundError

from ..backends import by_id
from ..backends import EngineFactory
from ..harness import Caller
from ..harness import create_table
from ..harness import Framework
from ..harness import on_both_frameworks
from ..harness import write_revision
from ..projects import names
from ..projects import Project

FILE = by_id("sqlite-sqlite3")


class TestNamedBranches:
    """As Flask-Alembic has them: a label on the first revision, and a folder."""

    @pytest.fixture(params=["flask", "quart"])
    def project(
        self, tmp_path: Path, engines: EngineFactory, request: pytest.FixtureRequest
    ) -> Project:
        framework: Framework = request.param
        return Project(
            tmp_path,
            engines,
            framework=framework,
            version_locations=[("users", "users/migrations"), "shared"],
        )

    def test_their_folders_are_made(self, project: Project) -> None:
        assert (project.root / "users" / "migrations").is_dir()
        assert (project.root / "shared").is_dir()

    def test_each_has_its_own_base_head_and_folder(
        self, project: Project, caller: Caller
    ) -> None:
        made = [
            caller(project.alembic, "revision", message, True, *branch)[0]
            for message, branch in [
                ("one", ()),
                ("users", ("users",)),
                ("two", ()),
                ("more users", ("users",)),
                ("posts", ("posts",)),
            ]
        ]
        one, users, two, more_users, posts = made
        bases = {one: "default", users: "users", posts: "posts"}

        for script in made:
            label = (script.module.branch_labels or (None,))[0]
            assert label == bases.get(script)
            assert (script.down_revision is None) is (script in bases)

        assert two.down_revision == one.revision
        assert more_users.down_revision == users.revision
        folder = project.root / "users" / "migrations"
        assert {Path(s.path).parent for s in (users, more_users)} == {folder}
        assert {Path(s.path).parent for s in (one, two, posts)} == {project.folder}
        heads = names(caller(project.alembic, "heads"))
        assert sorted(heads) == sorted(names([two, more_users, posts]))
        assert caller(project.alembic, "branches") == []
        assert sorted(names(caller(project.alembic, "log"))) == sorted(names(made))
        log = caller(project.alembic, "log", end="users@head")
        assert names(log) == names([more_users, users])
        log = caller(project.alembic, "log", start=one, end=two)
        assert names(log) == names([two, one])

    def test_one_is_applied_alone(self, project: Project, caller: Caller) -> None:
        (one,) = caller(project.alembic, "revision", "one", True)
        (users,) = caller(project.alembic, "revision", "users", True, "users")
        (more,) = caller(project.alembic, "revision", "more", True, "users")
        applied = caller(project.alembic, "upgrade", "users@head")
        assert names(applied) == names([users, more])
        assert names(caller(project.alembic, "current")) == [more.revision]
        assert caller(project.alembic, "needs_upgrade")
        (status,) = caller(project.alembic, "status").values()
        assert status.state == "behind"
        assert names(status.pending) == [one.revision]
        assert names(caller(project.alembic, "upgrade")) == [one.revision]
        assert not caller(project.alembic, "needs_upgrade")
        current = names(caller(project.alembic, "current"))
        assert sorted(current) == sorted(names([one, more]))
        reverted = caller(project.alembic, "downgrade", "users@-1")
        assert names(reverted) == [more.revision]
        reverted = caller(project.alembic, "downgrade", "users@base")
        assert names(reverted) == [users.revision]
        assert names(caller(project.alembic, "current")) == [one.revision]
        assert names(caller(project.alembic, "upgrade", "users@+1")) == [users.revision]

    def test_one_is_started_from_a_revision_of_another(
        self, project: Project, caller: Caller
    ) -> None:
        (one,) = caller(project.alembic, "revision", "one", True)
        (two,) = caller(project.alembic, "revision", "two", True)
        (users,) = caller(
            project.alembic, "revision", "u", True, "users", one, splice=True
        )
        assert users.down_revision == one.revision
        assert names(caller(project.alembic, "branches")) == [one.revision]
        assert sorted(names(caller(project.alembic, "heads"))) == sorted(
            names([two, users])
        )
        (more,) = caller(project.alembic, "revision", "more", True, "users")
        assert more.down_revision == users.revision

    def test_its_base_can_be_asked_for_again(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "revision", "one", True, "users")
        (again,) = caller(project.alembic, "revision", "two", True, "users", "base")
        assert again.down_revision is None
        assert len(caller(project.alembic, "heads")) == 2

    def test_a_branch_of_two_heads_cannot_be_continued(
        self, project: Project, caller: Caller
    ) -> None:
        (one,) = caller(project.alembic, "revision", "one", True, "users")
        (two,) = caller(project.alembic, "revision", "two", True, "users")
        (three,) = caller(
            project.alembic, "revision", "three", True, "users", one, splice=True
        )
        before = project.files()

        with pytest.raises(MultipleHeadsError) as caught:
            caller(project.alembic, "revision", "four", True, "users")

        assert sorted(caught.value.heads) == sorted(names([two, three]))
        assert project.files() == before
        merged = caller(project.alembic, "merge", [two, three])
        (four,) = caller(project.alembic, "revision", "four", True, "users")
        assert four.down_revision == merged.revision

    def test_autogenerate_writes_into_the_branch(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        metadata = sa.MetaData()
        project = Project(tmp_path, engines, metadatas=metadata)
        sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
        (users,) = caller(project.alembic, "revision", "users", branch="users")
        caller(project.alembic, "upgrade")
        sa.Table("posts", metadata, sa.Column("id", sa.Integer, primary_key=True))
        (posts,) = caller(project.alembic, "revision", "posts", branch="posts")
        assert posts.down_revision is None
        caller(project.alembic, "upgrade", "posts@head")
        assert caller.tables(project.engine) == {"users", "posts"}
        assert caller(project.alembic, "revision", "none", branch="users") == []

    def test_a_branch_that_is_not_there_is_named(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "revision", "one", True)

        with pytest.raises(RevisionNotFoundError, match="'posts'"):
            caller(project.alembic, "upgrade", "posts@head")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(branch=st.text(min_size=1, max_size=6))
@example(branch="a-b")
@example(branch="a-1")
@example(branch="a+1")
@example(branch="a@b")
@example(branch="-1")
@example(branch="head")
@example(branch="heads")
@example(branch="base")
@example(branch="current")
@example(branch='it\'s "quoted"')
@example(branch="1234")
@example(branch=" ")
@example(branch="..")
@example(branch="größe")
def test_any_branch_name_works_or_is_refused(
    engines: EngineFactory, caller: Caller, branch: str
) -> None:
    """What could not be named later must not be written now."""
    with tempfile.TemporaryDirectory() as root:
        project = Project(Path(root), engines)
        caller(project.alembic, "revision", "default", True)
        before = project.files()

        try:
            (script,) = caller(project.alembic, "revision", "new", True, branch)
        except AsyncAlembicError as e:
            assert branch in str(e)
            assert project.files() == before
        else:
            assert script.module.branch_labels in {(branch,), None}
            applied = caller(project.alembic, "upgrade", f"{branch}@head")
            assert script.revision in names(applied)
            (next_one,) = caller(project.alembic, "revision", "next", True, branch)
            assert next_one.down_revision == script.revision

        project.engines["default"].dispose()


class TestExistingHistories:
    """Those of Alembic and Flask-Migrate have no branch names."""

    @pytest.fixture(params=["migrations", "migrations/versions"])
    def place(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        place: Path = tmp_path / request.param
        return place

    def test_it_is_continued_at_its_head(
        self, tmp_path: Path, place: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        write_revision(place, "aaaa")
        write_revision(place, "bbbb", "aaaa")
        project = Project(tmp_path, engines)

        head = "bbbb"

        for message in "one", "two":
            (script,) = caller(project.alembic, "revision", message, True)
            assert script.down_revision == head
            assert script.module.branch_labels is None
            assert Path(script.path).parent == place
            head = script.revision

        assert names(caller(project.alembic, "heads")) == [head]
        assert len(caller(project.alembic, "upgrade")) == 4

    def test_a_new_file_goes_where_its_parent_is(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Also if the history has moved from one folder to the other."""
        project = Project(tmp_path, engines)
        write_revision(project.folder / "versions", "aaaa")
        write_revision(project.folder, "bbbb", "aaaa")
        (script,) = caller(project.alembic, "revision", "next", True)
        assert Path(script.path).parent == project.folder
        (script,) = caller(
            project.alembic, "revision", "side", True, parent="aaaa", splice=True
        )
        assert Path(script.path).parent == project.folder / "versions"

    def test_a_new_branch_beside_it_goes_into_the_same_folder(
        self, tmp_path: Path, place: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        write_revision(place, "aaaa")
        project = Project(tmp_path, engines)
        (script,) = caller(project.alembic, "revision", "users", True, "users")
        assert script.down_revision is None
        assert Path(script.path).parent == place
        (script,) = caller(project.alembic, "revision", "next", True)
        assert script.down_revision == "aaaa"

    def test_a_label_in_its_middle_makes_it_no_other_branch(
        self, tmp_path: Path, place: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Labels are used to name a revision too. The line is still the only one."""
        write_revision(place, "aaaa")
        write_revision(place, "bbbb", "aaaa", labels=["release-2"])
        write_revision(place, "cccc", "bbbb")
        project = Project(tmp_path, engines)
        (script,) = caller(project.alembic, "revision", "next", True)
        assert script.down_revision == "cccc"

    def test_several_heads_need_a_decision(
        self, tmp_path: Path, place: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        write_revision(place, "aaaa")
        write_revision(place, "bbbb", "aaaa")
        write_revision(place, "cccc", "aaaa")
        project = Project(tmp_path, engines)
        before = project.files()

        with pytest.raises(MultipleHeadsError, match="merge") as caught:
            caller(project.alembic, "revision", "next", True)

        assert sorted(caught.value.heads) == ["bbbb", "cccc"]
        assert project.files() == before
        (script,) = caller(project.alembic, "revision", "next", True, parent="cccc")
        assert script.down_revision == "cccc"
        merged = caller(project.alembic, "merge")
        assert merged.module.branch_labels is None
        (script,) = caller(project.alembic, "revision", "next", True)
        assert script.down_revision == merged.revision
        assert Path(script.path).parent == place

    def test_it_may_stand_beside_named_branches(
        self, tmp_path: Path, place: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        write_revision(place, "aaaa")
        write_revision(place, "bbbb", labels=["users"])
        project = Project(tmp_path, engines)
        (script,) = caller(project.alembic, "revision", "next", True)
        assert script.down_revision == "aaaa"
        (script,) = caller(project.alembic, "revision", "next", True, "users")
        assert script.down_revision == "bbbb"
        assert len(caller(project.alembic, "heads")) == 2

    def test_beside_named_branches_alone_the_default_one_is_started(
        self, tmp_path: Path, place: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """As in Flask-Alembic: the one that exists is not the default one."""
        write_revision(place, "aaaa", labels=["users"])
        project = Project(tmp_path, engines)
        (script,) = caller(project.alembic, "revision", "next", True)
        assert script.down_revision is None
        assert script.module.branch_labels == ("default",)

    def test_the_default_label_decides_where_it_is_there(
        self, tmp_path: Path, place: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        write_revision(place, "aaaa", labels=["default"])
        write_revision(place, "bbbb")
        write_revision(place, "cccc")
        project = Project(tmp_path, engines)
        (script,) = caller(project.alembic, "revision", "next", True)
        assert script.down_revision == "aaaa"

    @pytest.mark.parametrize("depend", ["aaaa", None])
    def test_dependencies_make_no_head_less(
        self,
        tmp_path: Path,
        place: Path,
        engines: EngineFactory,
        caller: Caller,
        depend: str | None,
    ) -> None:
        write_revision(place, "aaaa")
        write_revision(place, "bbbb", labels=["users"], depends_on=depend)
        project = Project(tmp_path, engines)
        (script,) = caller(project.alembic, "revision", "next", True)
        assert script.down_revision == "aaaa"


@on_both_frameworks
@pytest.mark.parametrize("template", ["generic", "async", "pyproject"])
def test_what_alembic_has_begun_is_continued(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    framework: Framework,
    template: str,
) -> None:
    """A project is begun with Alembic's command, goes on here, and can go back."""
    metadata = sa.MetaData()
    users = sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
    config = alembic_config(tmp_path)
    command.init(config, str(tmp_path / "migrations"), template)
    project = Project(
        tmp_path, engines, framework=framework, backend=FILE, metadatas=metadata
    )
    url = project.engine.url.render_as_string(hide_password=False)
    env = tmp_path / "migrations" / "env.py"
    # What it does to logging would last until the end of the tests.
    generated = env.read_text().replace("fileConfig(", "str(")
    env.write_text("raise SystemExit('executed')")
    (tmp_path / "migrations" / "helpers.py").write_text("raise SystemExit('imported')")
    template_text = (tmp_path / "migrations" / "script.py.mako").read_text()
    (first,) = caller(project.alembic, "revision", "users")
    assert Path(first.path).parent == tmp_path / "migrations" / "versions"
    assert names(caller(project.alembic, "upgrade")) == [first.revision]
    users.append_column(sa.Column("name", sa.String(20)))
    (second,) = caller(project.alembic, "revision", "names")
    assert second.down_revision == first.revision
    assert (tmp_path / "migrations" / "script.py.mako").read_text() == template_text
    assert env.read_text() == "raise SystemExit('executed')"

    # Back to Alembic, with its own env.py.
    env.write_text(generated)

    if template == "generic":
        config.set_main_option("script_location", str(tmp_path / "migrations"))
        config.set_main_option("sqlalchemy.url", url)
        command.upgrade(config, "head")
        assert names(caller(project.alembic, "current")) == [second.revision]
        assert caller.columns(project.engine, "users") == {"id", "name"}
        command.revision(config, "third")
        assert len(caller(project.alembic, "log")) == 3
        assert len(caller(project.alembic, "upgrade")) == 1


@on_both_frameworks
def test_what_flask_migrate_has_begun_is_continued(
    tmp_path: Path, engines: EngineFactory, caller: Caller, framework: Framework
) -> None:
    """Its ``env.py`` needs its extension, and Flask's current app."""
    metadata = sa.MetaData()
    sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
    folder = tmp_path / "migrations"
    write_revision(
        folder / "versions",
        "5c5c8a2e9f10",
        upgrade=create_table("users"),
    )
    (folder / "env.py").write_text(
        "import logging\nfrom logging.config import fileConfig\n"
        "from flask import current_app\nfrom alembic import context\n"
        "config = context.config\nfileConfig(config.config_file_name)\n"
        "get_engine = current_app.extensions['migrate'].db.get_engine()\n"
    )
    (folder / "alembic.ini").write_text("[alembic]\n[loggers]\nkeys = root\n")
    (folder / "README").write_text("Single-database configuration for Flask.\n")
    (folder / "script.py.mako").write_text(FLASK_MIGRATE_TEMPLATE)
    project = Project(tmp_path, engines, framework=framework, metadatas=metadata)
    before = project.files()
    assert names(caller(project.alembic, "upgrade")) == ["5c5c8a2e9f10"]
    assert caller(project.alembic, "revision", "nothing") == []
    assert project.files() == before
    sa.Table("posts", metadata, sa.Column("id", sa.Integer, primary_key=True))
    (script,) = caller(project.alembic, "revision", 'the "posts"')
    assert script.down_revision == "5c5c8a2e9f10"
    assert Path(script.path).parent == folder / "versions"
    assert "### commands auto generated by Alembic" in Path(script.path).read_text()
    assert names(caller(project.alembic, "upgrade")) == [script.revision]
    assert caller.tables(project.engine) == {"users", "posts"}
    assert {path: project.files()[path] for path in before} == before


FLASK_MIGRATE_TEMPLATE = '''"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
Create Date: ${create_date}

"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

# revision identifiers, used by Alembic.
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''


def alembic_config(root: Path, **attributes: Any) -> Config:
    """Alembic's own config, as its command line makes it, printing nowhere."""
    config = Config(str(root / "alembic.ini"), stdout=io.StringIO())
    config.toml_file_name = str(root / "pyproject.toml")
    return config


def test_a_revision_of_another_branch_is_told_from_one_that_is_not_there(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    write_revision(project.folder, "aaaa1", labels=["users"])
    write_revision(project.folder, "bbbb1", labels=["posts"])

    with pytest.raises(RevisionError, match="bbbb1 is not a member of branch 'users'"):
        caller(project.alembic, "upgrade", "users@bbbb1")


def test_a_second_base_goes_beside_the_first_one(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    first = write_revision(project.folder / "versions", "aaaa1", labels=["users"])
    (second,) = caller(
        project.alembic, "revision", "posts", empty=True, branch="", parent="base"
    )
    assert second.down_revision is None
    assert Path(second.path).parent == first.parent
