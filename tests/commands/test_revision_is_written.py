"""What ``revision()`` writes, and that it writes nothing where nothing differs."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import ConfigurationError
from async_alembic import NotUpToDateError
from async_alembic import RevisionFileError

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on_all_backends
from ..generating import function_bodies
from ..generating import table
from ..harness import Caller
from ..harness import Framework
from ..projects import docstring
from ..projects import names
from ..projects import Project


class TestWhatIsWritten:
    @on_all_backends
    def test_the_difference_is_written_once(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        framework: Framework = "quart" if backend.is_async else "flask"
        project = Project(
            tmp_path, engines, backend=backend, framework=framework, metadatas=table()
        )
        (script,) = caller(project.alembic, "revision", "add users")
        assert os.path.dirname(script.path) == str(project.folder)
        assert docstring(script) == script.doc == "add users"
        assert script.branch_labels == {"default"}
        assert names(caller(project.alembic, "upgrade")) == [script.revision]
        assert caller.tables(project.engine) == {"users"}
        before = project.files()
        assert caller(project.alembic, "revision", "nothing left") == []
        assert project.files() == before
        assert names(caller(project.alembic, "downgrade")) == [script.revision]
        assert caller.tables(project.engine) == set()

    def test_a_folder_that_cannot_be_written_to_is_named(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            file_template="year/%(rev)s",
            recursive_version_locations=True,
        )
        (project.folder / "year").touch()

        with pytest.raises(ConfigurationError, match="Cannot write a revision: .*year"):
            caller(project.alembic, "revision", "add users")

    def test_no_difference_in_any_of_several_databases_writes_nothing(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            metadatas={"default": table("users"), "log": table("events")},
        )
        (script,) = caller(project.alembic, "revision", "both")
        caller(project.alembic, "upgrade")
        assert caller.tables(project.engines["default"]) == {"users"}
        assert caller.tables(project.engines["log"]) == {"events"}
        before = project.files()
        assert caller(project.alembic, "revision", "nothing left") == []
        assert project.files() == before

    def test_a_difference_in_one_of_several_databases_is_written_for_it_alone(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            metadatas={"default": sa.MetaData(), "log": table("events")},
        )
        (script,) = caller(project.alembic, "revision", "events")
        bodies = function_bodies(script)
        assert {*bodies} >= {"upgrade_default", "upgrade_log", "downgrade_log"}
        assert "create_table" in bodies["upgrade_log"]
        assert "create_table" not in bodies["upgrade_default"]
        caller(project.alembic, "upgrade")
        assert caller.tables(project.engines["default"]) == set()
        assert caller.tables(project.engines["log"]) == {"events"}

    def test_an_empty_one_is_written_in_any_case(
        self, project: Project, caller: Caller
    ) -> None:
        (script,) = caller(project.alembic, "revision", "by hand", empty=True)
        assert "create_table" not in Path(script.path).read_text()
        assert names(caller(project.alembic, "upgrade")) == [script.revision]
        assert caller.tables(project.engine) == set()

    def test_an_empty_one_needs_no_database(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines)
        nowhere = sa.create_engine(f"sqlite:///{tmp_path}/no/such/folder/x.db")
        alembic = Alembic(
            project.app, metadatas=project.metadatas, engines=nowhere, command_name=""
        )
        first, second = (
            caller(alembic, "revision", message, empty=True)[0]
            for message in ("first", "second")
        )
        assert second.down_revision == first.revision

    def test_a_database_that_is_behind_cannot_be_compared(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "revision", "first")
        before = project.files()

        with pytest.raises(NotUpToDateError, match="'default'") as caught:
            caller(project.alembic, "revision", "second")

        assert caught.value.database == "default"
        assert project.files() == before
        (script,) = caller(project.alembic, "revision", "second", empty=True)
        assert script.down_revision is not None

    def test_any_of_several_databases_that_is_behind_is_named(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            metadatas={"default": table("users"), "log": table("events")},
        )
        (script,) = caller(project.alembic, "revision", "both")
        caller(project.alembic, "upgrade")
        caller.execute(project.engines["log"], "DELETE FROM alembic_version")

        with pytest.raises(NotUpToDateError) as caught:
            caller(project.alembic, "revision", "second")

        assert caught.value.database == "log"

    def test_nothing_is_printed(
        self,
        project: Project,
        caller: Caller,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """A server's output is its log."""
        caller(project.alembic, "mkdir")
        caller(project.alembic, "revision", "one")
        caller(project.alembic, "upgrade")
        caller(project.alembic, "revision", "two", empty=True, branch="other")
        caller(project.alembic, "merge", message="both")
        caller(project.alembic, "upgrade")
        caller(project.alembic, "stamp", "base")
        caller(project.alembic, "status")
        caller(project.alembic, "log")
        assert capfd.readouterr() == ("", "")

    def test_a_file_of_the_same_name_is_never_overwritten(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Alembic would lose the first revision without a word."""
        project = Project(tmp_path, engines, file_template="%(slug)s")
        (script,) = caller(project.alembic, "revision", "users", empty=True)
        before = project.files()

        with pytest.raises(RevisionFileError, match="already exists") as caught:
            caller(project.alembic, "revision", "users", empty=True)

        assert caught.value.path == script.path
        assert project.files() == before
        assert names(caller(project.alembic, "heads")) == [script.revision]

    def test_a_missing_template_is_named(
        self, project: Project, caller: Caller
    ) -> None:
        template = project.folder / "script.py.mako"
        template.unlink()

        with pytest.raises(AsyncAlembicError, match=re.escape(str(template))):
            caller(project.alembic, "revision", "one")

        assert project.files() == {}
        caller(project.alembic, "mkdir")
        assert len(caller(project.alembic, "revision", "one")) == 1

    @pytest.mark.parametrize(
        "broken", ["${undefined_name}", "${1 / 0}", "% if", "${", "<%"]
    )
    def test_a_broken_template_writes_nothing(
        self, project: Project, caller: Caller, broken: str
    ) -> None:
        template = project.folder / "script.py.mako"
        template.write_text(template.read_text() + f"\n{broken}\n")

        with pytest.raises(AsyncAlembicError, match="emplate"):
            caller(project.alembic, "revision", "one")

        assert project.files() == {}
        assert caller(project.alembic, "heads") == ()


@pytest.mark.parametrize("empty", [True, False])
def test_a_template_for_one_database_is_refused_with_several(
    tmp_path: Path, engines: EngineFactory, caller: Caller, empty: bool
) -> None:
    """Its revisions would be empty, and could not be applied."""
    Project(tmp_path, engines)
    project = Project(
        tmp_path, engines, metadatas={"default": table("users"), "log": sa.MetaData()}
    )

    with pytest.raises(AsyncAlembicError, match="for one database"):
        caller(project.alembic, "revision", "users", empty)

    assert project.files() == {}
    (project.folder / "script.py.mako").unlink()
    caller(project.alembic, "mkdir")
    (script,) = caller(project.alembic, "revision", "users", empty)
    assert names(caller(project.alembic, "upgrade")) == [script.revision]
