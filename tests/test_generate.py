"""Revision files that are written: ``revision()`` and ``merge()``."""

from __future__ import annotations

import ast
import asyncio
import concurrent.futures
import os
import re
import sys
import tempfile
import textwrap
import time
import warnings
from collections.abc import Iterator
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.autogenerate.rewriter import Rewriter
from alembic.operations import MigrateOperation
from alembic.operations import Operations
from alembic.operations import ops
from alembic.script import Script
from alembic.script import write_hooks
from hypothesis import example
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import MultipleHeadsError
from async_alembic import NotUpToDateError
from async_alembic import RevisionError
from async_alembic import RevisionFileError
from async_alembic import RevisionNotFoundError

from .apps import awaited_only
from .apps import Caller
from .apps import Framework
from .apps import make_app
from .apps import write_revision
from .backends import Backend
from .backends import by_id
from .backends import EngineFactory
from .backends import on
from .backends import on_all_backends
from .projects import docstring
from .projects import MEMORY
from .projects import names
from .projects import Project


def table(name: str = "users", *columns: sa.Column[Any]) -> sa.MetaData:
    """Metadata with one table."""
    metadata = sa.MetaData()
    sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return metadata


@pytest.fixture
def project(tmp_path: Path, engines: EngineFactory) -> Project:
    """One table is in the models, and not in the database."""
    return Project(tmp_path, engines, metadatas=table())


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

        with pytest.raises(RevisionFileError, match="exists already") as caught:
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


class TestIds:
    def test_no_id_is_made_twice_within_a_second(
        self, project: Project, caller: Caller
    ) -> None:
        made = [
            caller(project.alembic, "revision", f"number {number}", empty=True)[0]
            for number in range(5)
        ]
        assert len({script.revision for script in made}) == 5
        assert all(script.revision.isdecimal() for script in made)
        log = names(caller(project.alembic, "log"))
        assert log == names(reversed(made))
        assert log == sorted(log, reverse=True)

    def test_not_by_two_instances_either(
        self, tmp_path: Path, engines: EngineFactory
    ) -> None:
        one = Project(tmp_path / "one", engines).alembic
        two = Project(tmp_path / "two", engines).alembic
        made = [which.rev_id() for _ in range(5) for which in (one, two, one.sync)]
        assert len({*made}) == 15

    def test_not_by_threads_either(
        self, tmp_path: Path, engines: EngineFactory
    ) -> None:
        alembic = Project(tmp_path, engines).alembic

        with concurrent.futures.ThreadPoolExecutor(8) as executor:
            made = list(executor.map(lambda _: alembic.rev_id(), range(400)))

        assert len({*made}) == 400

    def test_an_id_of_another_process_is_left_out(
        self, project: Project, caller: Caller
    ) -> None:
        """Which has made it within the same second, or with a clock that is ahead."""
        ahead = [str(int(datetime.now().timestamp()) + offset) for offset in range(9)]
        after = None

        for revision in ahead:
            write_revision(project.folder, revision, after)
            after = revision

        (script,) = caller(project.alembic, "revision", "mine", empty=True)
        assert script.revision not in ahead
        assert names(caller(project.alembic, "heads")) == [script.revision]

    async def test_tasks_write_a_file_each(self, project: Project) -> None:
        alembic = project.alembic
        made = await asyncio.gather(
            *(
                alembic.revision(f"number {number}", empty=True, branch=f"b{number}")
                for number in range(8)
            )
        )
        ids = {script.revision for scripts in made for script in scripts}
        assert len(ids) == 8
        assert {*names(await alembic.heads())} == ids

    def test_threads_write_a_file_each(
        self, project: Project, runner: asyncio.Runner
    ) -> None:
        alembic = project.alembic.sync

        def write(number: int) -> list[Script]:
            return alembic.revision(f"number {number}", True, f"b{number}")

        with concurrent.futures.ThreadPoolExecutor(8) as executor:
            made = list(executor.map(write, range(8)))

        ids = {script.revision for scripts in made for script in scripts}
        assert len(ids) == 8
        assert {*names(alembic.heads())} == ids

    def test_ids_can_be_made_by_a_subclass(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        class Numbered(Alembic):
            def rev_id(self) -> str:
                return f"{len(self.script_directory.get_heads()):04}"

        project = Project(tmp_path, engines, alembic=Numbered)
        (script,) = caller(project.alembic, "revision", "one", empty=True)
        assert script.revision == "0000"
        (script,) = caller(project.alembic, "revision", "two", empty=True)
        assert script.revision == "0001"
        assert script.down_revision == "0000"

    def test_the_function_that_makes_ids_can_be_replaced(
        self, project: Project, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            project.alembic, "rev_id", iter(["one", "two", "m"]).__next__
        )
        assert names(caller(project.alembic, "revision", "1", empty=True)) == ["one"]
        second = caller(project.alembic, "revision", "2", empty=True, branch="other")
        assert names(second) == ["two"]
        assert caller(project.alembic, "merge").revision == "m"

    def test_it_can_be_replaced_on_the_blocking_shell_alone(
        self, project: Project, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alembic = project.alembic
        monkeypatch.setattr(alembic.sync, "rev_id", lambda: "abcd")
        assert names(alembic.sync.revision("one", empty=True)) == ["abcd"]
        (script,) = runner.run(alembic.revision("two", empty=True))
        assert script.revision.isdecimal()
        assert script.down_revision == "abcd"

    def test_an_id_can_be_given(self, project: Project, caller: Caller) -> None:
        (script,) = caller(project.alembic, "revision", "one", rev_id="abcd1234")
        assert script.revision == "abcd1234"
        assert Path(script.path).name == "abcd1234_one.py"

    def test_an_id_that_is_taken_is_refused(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "revision", "one", empty=True, rev_id="abcd")
        before = project.files()

        with pytest.raises(RevisionError, match="'?abcd"):
            caller(project.alembic, "revision", "two", empty=True, rev_id="abcd")

        assert project.files() == before
        assert names(caller(project.alembic, "heads")) == ["abcd"]

    @pytest.mark.parametrize("rev_id", ["a@b", "+1", "-2", "head", "base", "heads"])
    def test_an_id_that_could_not_be_named_is_refused(
        self, project: Project, caller: Caller, rev_id: str
    ) -> None:
        with pytest.raises(AsyncAlembicError, match=re.escape(rev_id)):
            caller(project.alembic, "revision", "two", empty=True, rev_id=rev_id)

        assert project.files() == {}


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rev_id=st.text(min_size=1, max_size=8) | st.text("01abc-+@_. ", min_size=1),
    label=st.none() | st.text(min_size=1, max_size=6) | st.text("ab1-+@ ", min_size=1),
)
@example(rev_id="a b", label=None)
@example(rev_id='it\'s "quoted"', label='it\'s "quoted"')
@example(rev_id="back\\slash", label="back\\slash")
@example(rev_id="two\nlines", label="two\nlines")
@example(rev_id='"""', label='"""')
@example(rev_id="a/b", label="a/b")
@example(rev_id="..", label="..")
@example(rev_id="${1 / 0}", label="%(x)s")
@example(rev_id="same", label="same")
@example(rev_id="abcd", label=None)
@example(rev_id="\0", label="\0")
@example(rev_id="x" * 300, label="x" * 300)
def test_any_id_and_label_work_or_are_refused(
    engines: EngineFactory, caller: Caller, rev_id: str, label: str | None
) -> None:
    """What could not be read or named later must not be written now."""
    with tempfile.TemporaryDirectory() as root:
        project = Project(Path(root), engines)
        caller(project.alembic, "revision", "first", True)
        before = project.files()

        try:
            (script,) = caller(
                project.alembic, "revision", "x", True, rev_id=rev_id, label=label
            )
        except AsyncAlembicError:
            assert project.files() == before
        else:
            assert script.revision == rev_id
            assert names(caller(project.alembic, "heads")) == [rev_id]
            target = rev_id if label is None else f"{label}@head"
            assert rev_id in names(caller(project.alembic, "upgrade", target))
            assert names(caller(project.alembic, "downgrade", -1)) == [rev_id]
            assert names(caller(project.alembic, "upgrade", rev_id)) == [rev_id]

        project.engines["default"].dispose()


class TestMessages:
    @pytest.mark.parametrize(
        "metadatas",
        [table(), {"default": table("users"), "log": table("events")}],
        ids=["generic", "multidb"],
    )
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(message=st.text(st.characters(codec="utf-8"), max_size=60))
    @example(message='it\'s "quoted"')
    @example(message='"""')
    @example(message='""""')
    @example(message='"')
    @example(message='a\\"""b\\"')
    @example(message="trailing \\")
    @example(message="\\N{DASH} \\x41 \\u0041 \\")
    @example(message="${1 / 0} <% raise %> ## % if\n% if True:\n## gone")
    @example(message="100% of %(rev)s %s %%")
    @example(message="two\nlines\n\nand a paragraph")
    @example(message="\n\n  indented\n")
    @example(message="\r\n\r \v\f\x1c\x1d\x1e\x85\u2028\u2029")
    @example(message="\0\x01\x1b\x7f\ufeff\u200b\u202e")
    @example(message="Größe 表 🚀")
    @example(message="/etc/passwd ../../up")
    @example(message="x" * 300)
    @example(message="")
    @example(message="# coding: latin-1")
    @example(message="ends in a blank \t")
    @example(message=" \ta\tb")
    def test_any_message_can_be_read_back(
        self,
        metadatas: Any,
        engines: EngineFactory,
        runner: asyncio.Runner,
        message: str,
    ) -> None:
        with tempfile.TemporaryDirectory() as root:
            project = Project(Path(root), engines, metadatas=metadatas)
            (script,) = project.alembic.sync.revision(message)
            assert docstring(script) == message
            # Python 3.13 writes the blanks of a docstring in its own way.
            read = " ".join(script.longdoc.split())
            assert read.startswith(" ".join(message.split()))
            assert names(project.alembic.sync.upgrade()) == [script.revision]
            # As another process reads it.
            other = Project(Path(root), engines, metadatas=metadatas)
            assert names(other.alembic.sync.heads()) == [script.revision]

            for engine in (*project.engines.values(), *other.engines.values()):
                engine.dispose()

    def test_a_message_that_is_no_text_leaves_a_valid_file(
        self, project: Project, caller: Caller
    ) -> None:
        """Half of a character, as a terminal of another encoding gives it. Python 3.13
        takes none in a docstring, not even escaped.
        """
        (script,) = caller(project.alembic, "revision", "users \udce9 and", empty=True)
        assert docstring(script).startswith("users ")
        assert docstring(script).endswith(" and")
        assert names(caller(project.alembic, "upgrade")) == [script.revision]

    def test_a_merge_has_a_message_too(self, project: Project, caller: Caller) -> None:
        for branch in "one", "two":
            caller(project.alembic, "revision", branch, empty=True, branch=branch)

        script = caller(project.alembic, "merge", message='the "two" \\ ${of} them')
        assert docstring(script) == 'the "two" \\ ${of} them'

    def test_a_file_is_named_after_its_message(
        self, project: Project, caller: Caller
    ) -> None:
        (script,) = caller(
            project.alembic,
            "revision",
            "Add 'users' & \"größe\", 100 %\nsecond\x1b line",
            empty=True,
        )
        stem = f"{script.revision}_add_users_größe_100_second_line"
        assert Path(script.path).stem == stem


class TestOptions:
    @pytest.mark.parametrize("per_cent", ["%", "%%"], ids=["plain", "doubled"])
    def test_file_template_is_written_as_in_an_ini_file_or_not(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, per_cent: str
    ) -> None:
        template = "%(year)d_%(month).2d-%(rev)s_%(slug)s".replace("%", per_cent)
        project = Project(tmp_path, engines, file_template=template)
        (script,) = caller(project.alembic, "revision", "Add users", empty=True)
        assert re.fullmatch(
            rf"20\d\d_[01]\d-{script.revision}_add_users.py", Path(script.path).name
        )

    def test_file_template_may_make_folders(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            file_template="%(year)d/%(rev)s_%(slug)s",
            recursive_version_locations=True,
        )
        first, second = (
            caller(project.alembic, "revision", message, empty=True)[0]
            for message in ("one", "two")
        )
        folder = Path(first.path).parent
        assert folder.name.isdecimal()
        assert folder.parent == project.folder
        assert Path(second.path).parent == folder
        assert names(caller(project.alembic, "log")) == names([second, first])

    def test_a_file_is_not_written_where_it_would_not_be_found(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines, file_template="sub/%(rev)s")

        with pytest.raises(AsyncAlembicError, match="recursive_version_locations"):
            caller(project.alembic, "revision", "one", empty=True)

        assert project.files() == {}

    @pytest.mark.parametrize(
        ("timezone", "offset"),
        [("UTC", 0), ("utc", 0), ("Asia/Kolkata", 5.5), ("asia/tokyo", None)],
    )
    def test_timezone_is_that_of_the_date(
        self,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
        timezone: str,
        offset: float | None,
    ) -> None:
        project = Project(tmp_path, engines, timezone=timezone)

        if offset is None:
            with pytest.raises(AsyncAlembicError, match=timezone):
                caller(project.alembic, "revision", "one", empty=True)

            assert project.files() == {}
            return

        (script,) = caller(project.alembic, "revision", "one", empty=True)
        (date,) = re.findall("Create Date: (.*)", script.longdoc)
        assert datetime.fromisoformat(date).utcoffset() == timedelta(hours=offset)

    @pytest.mark.parametrize("length", [10, "10"])
    def test_truncate_slug_length_cuts_at_a_word(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, length: int | str
    ) -> None:
        project = Project(tmp_path, engines, truncate_slug_length=length)
        (script,) = caller(
            project.alembic, "revision", "users and addresses", empty=True
        )
        assert Path(script.path).stem == f"{script.revision}_users_and_"

    @pytest.mark.parametrize(
        ("encoding", "cookie"),
        [("latin-1", "${'# coding: latin-1'}\n"), ("utf-8-sig", "")],
    )
    def test_output_encoding_is_that_of_the_file(
        self,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
        encoding: str,
        cookie: str,
    ) -> None:
        project = Project(tmp_path, engines, output_encoding=encoding)
        template = project.folder / "script.py.mako"
        template.write_text(cookie + template.read_text())
        (script,) = caller(project.alembic, "revision", "Größe", empty=True)
        assert "Größe" in Path(script.path).read_text(encoding)
        assert docstring(script) == script.doc == "Größe"
        project = Project(tmp_path, engines, output_encoding=encoding)
        assert caller(project.alembic, "heads")[0].doc == "Größe"

    def test_a_message_beyond_the_encoding_writes_nothing(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines, output_encoding="ascii")

        with pytest.raises(AsyncAlembicError):
            caller(project.alembic, "revision", "Größe", empty=True)

        assert project.files() == {}
        assert len(caller(project.alembic, "revision", "size", empty=True)) == 1

    def test_the_users_own_template_is_used_and_kept(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        (tmp_path / "migrations").mkdir()
        template = tmp_path / "migrations" / "script.py.mako"
        template.write_text(
            '"""${message}\n\nRevision ID: ${up_revision}\n"""\n'
            "from alembic import op\nimport sqlalchemy as sa\n"
            "revision = ${repr(up_revision)}\n"
            "down_revision = ${repr(down_revision)}\n"
            "labels = ${repr(config.get_main_option('owner'))}\n"
            "def upgrade():\n    ${upgrades if upgrades else 'pass'}\n"
        )
        before = template.read_text()
        project = Project(tmp_path, engines, metadatas=table(), owner="us")
        (script,) = caller(project.alembic, "revision", "one", branch="")
        assert script.module.labels == "us"
        assert not hasattr(script.module, "downgrade")
        caller(project.alembic, "mkdir")
        assert template.read_text() == before
        caller(project.alembic, "upgrade")
        assert caller.tables(project.engine) == {"users"}

    def test_a_template_without_labels_leaves_no_file_that_lacks_one(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        (tmp_path / "migrations").mkdir()
        (tmp_path / "migrations" / "script.py.mako").write_text(
            "revision = ${repr(up_revision)}\ndown_revision = ${repr(down_revision)}\n"
        )
        project = Project(tmp_path, engines)

        with pytest.raises(AsyncAlembicError, match="branch_labels"):
            caller(project.alembic, "revision", "one", empty=True, branch="users")

        assert project.files() == {}

    def test_revision_environment_opens_the_database_for_an_empty_one(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """It is then that directives are processed, and a template may ask it."""
        seen: list[Any] = []

        def process(context: Any, revision: Any, directives: Any) -> None:
            seen.append(context.connection is not None)
            directives[0].upgrade_ops.ops.append(ops.ExecuteSQLOp("SELECT 7"))

        for environment in False, True:
            root = tmp_path / str(environment)
            project = Project(
                root,
                engines,
                revision_environment=environment,
                context={"process_revision_directives": process},
            )
            (script,) = caller(project.alembic, "revision", "one", empty=True)
            assert seen == [True] * environment
            assert ("SELECT 7" in Path(script.path).read_text()) is environment
            assert names(caller(project.alembic, "upgrade")) == [script.revision]

    def test_plugins_take_part_in_the_comparison(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        plugins = pytest.importorskip("alembic.runtime.plugins")
        from alembic.util import PriorityDispatchResult

        def compare(autogen_context: Any, upgrade_ops: Any) -> Any:
            upgrade_ops.ops.append(CreateViewOp("plugged", "SELECT 1 AS one"))
            return PriorityDispatchResult.CONTINUE

        register_view_operations()
        plugin = plugins.Plugin("shop.plugin")
        plugin.add_autogenerate_comparator(compare, "autogenerate")
        builtin = "alembic.autogenerate.*"

        try:
            for number, listed in enumerate(
                (["shop.*"], [builtin], ["shop.plugin", builtin], [builtin, "shop.*"])
            ):
                project = Project(
                    tmp_path / str(number),
                    engines,
                    metadatas=table(),
                    context={"autogenerate_plugins": listed},
                )
                (script,) = caller(project.alembic, "revision", "one")
                text = Path(script.path).read_text()
                assert ("op.create_view('plugged'" in text) is (listed != [builtin])
                assert ("create_table" in text) is (builtin in listed)
        finally:
            plugin.remove()

    def test_an_unknown_plugin_is_an_error(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        pytest.importorskip("alembic.runtime.plugins")
        project = Project(
            tmp_path, engines, context={"autogenerate_plugins": ["nowhere.at.all"]}
        )

        with pytest.raises(AsyncAlembicError, match="nowhere.at.all"):
            caller(project.alembic, "needs_revision")

    def test_custom_operations_are_written_and_run(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """As packages for views, triggers and enums do it."""
        register_view_operations()

        def process(context: Any, revision: Any, directives: Any) -> None:
            directives[0].upgrade_ops.ops.append(CreateViewOp("v", "SELECT 1 AS one"))
            directives[0].downgrade_ops.ops.insert(0, DropViewOp("v"))

        project = Project(
            tmp_path, engines, context={"process_revision_directives": process}
        )
        (script,) = caller(project.alembic, "revision", "a view")
        assert "op.create_view('v', 'SELECT 1 AS one')" in Path(script.path).read_text()
        caller(project.alembic, "upgrade")
        assert caller.query(project.engine, "SELECT one FROM v") == [(1,)]
        caller(project.alembic, "downgrade")
        views = "SELECT name FROM sqlite_master WHERE type = 'view'"
        assert caller.query(project.engine, views) == []

        with caller.inside(project.app):
            caller.op(project.alembic, "create_view", "w", "SELECT 2 AS two")

        assert caller.query(project.engine, "SELECT two FROM w") == [(2,)]


class CreateViewOp(MigrateOperation):
    def __init__(self, name: str, query: str) -> None:
        self.name = name
        self.query = query

    @classmethod
    def create_view(cls, operations: Operations, name: str, query: str) -> Any:
        return operations.invoke(cls(name, query))

    def reverse(self) -> MigrateOperation:
        return DropViewOp(self.name)


class DropViewOp(MigrateOperation):
    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def drop_view(cls, operations: Operations, name: str) -> Any:
        return operations.invoke(cls(name))


def register_view_operations() -> None:
    # For the whole process, and so only once.
    if hasattr(Operations, "create_view"):
        return

    Operations.register_operation("create_view")(CreateViewOp)
    Operations.register_operation("drop_view")(DropViewOp)

    @Operations.implementation_for(CreateViewOp)
    def create(operations: Operations, op: CreateViewOp) -> None:
        operations.execute(f"CREATE VIEW {op.name} AS {op.query}")

    @Operations.implementation_for(DropViewOp)
    def drop(operations: Operations, op: DropViewOp) -> None:
        operations.execute(f"DROP VIEW {op.name}")

    @renderers.dispatch_for(CreateViewOp)
    def render_create(context: Any, op: CreateViewOp) -> str:
        return f"op.create_view({op.name!r}, {op.query!r})"

    @renderers.dispatch_for(DropViewOp)
    def render_drop(context: Any, op: DropViewOp) -> str:
        return f"op.drop_view({op.name!r})"


class TestAutogenerate:
    """The arguments of ``EnvironmentContext.configure``, in ``ALEMBIC_CONTEXT``."""

    def test_directives_can_be_emptied(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def process(context: Any, revision: Any, directives: Any) -> None:
            directives[:] = []

        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            context={"process_revision_directives": process},
        )
        assert caller(project.alembic, "revision", "one") == []
        assert project.files() == {}

    def test_directives_can_be_emptied_with_several_databases(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """They are asked after each database, as under Alembic's own template."""

        def process(context: Any, revision: Any, directives: Any) -> None:
            if directives[0].upgrade_ops_list[-1].upgrade_token == "log_upgrades":
                directives[:] = []

        project = Project(
            tmp_path,
            engines,
            metadatas={"default": table("users"), "log": table("events")},
            context={"process_revision_directives": process},
        )
        assert caller(project.alembic, "revision", "one") == []
        assert project.files() == {}

    def test_directives_that_are_emptied_too_early_are_told(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """What the databases that follow differ by must not be lost in silence."""

        def process(context: Any, revision: Any, directives: Any) -> None:
            if directives[0].upgrade_ops_list[-1].is_empty():
                directives[:] = []

        project = Project(
            tmp_path,
            engines,
            metadatas={"default": sa.MetaData(), "log": table("events")},
            context={"process_revision_directives": process},
        )

        with pytest.raises(AsyncAlembicError, match="process_revision_directives"):
            caller(project.alembic, "revision", "one")

        assert project.files() == {}

    def test_directives_can_be_rewritten(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def process(context: Any, revision: Any, directives: Any) -> None:
            (script,) = directives
            script.rev_id = "abcd1234"
            script.message += ', said "we"'
            script.imports.add("import decimal")
            script.upgrade_ops.ops.append(ops.ExecuteSQLOp("SELECT 7"))

        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            context={"process_revision_directives": process},
        )
        (script,) = caller(project.alembic, "revision", "users")
        assert script.revision == "abcd1234"
        assert docstring(script) == 'users, said "we"'
        assert Path(script.path).name == "abcd1234_users_said_we.py"
        assert script.module.decimal is not None
        assert "SELECT 7" in function_bodies(script)["upgrade"]

    def test_there_may_be_several_directives(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Such as one to expand the schema and one to contract it."""

        def process(context: Any, revision: Any, directives: Any) -> None:
            (expand,) = directives
            contract = ops.MigrationScript(
                "contract",
                ops.UpgradeOps([ops.ExecuteSQLOp("SELECT 1")]),
                ops.DowngradeOps([]),
                message="contract",
                head="expand",
                splice=True,
                version_path=expand.version_path,
            )
            expand.rev_id = "expand"
            directives.append(contract)

        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            context={"process_revision_directives": process},
        )
        made = caller(project.alembic, "revision", "users")
        assert names(made) == ["expand", "contract"]
        assert names(caller(project.alembic, "upgrade")) == ["expand", "contract"]

    def test_a_rewriter_takes_part(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Alembic's own helper for directives, such as to leave out what is unsafe."""
        writer = Rewriter()

        @writer.rewrites(ops.CreateTableOp)
        def add_comment(context: Any, revision: Any, op: ops.CreateTableOp) -> Any:
            return [op, ops.ExecuteSQLOp(f"SELECT '{op.table_name}'")]

        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            context={"process_revision_directives": writer},
        )
        (script,) = caller(project.alembic, "revision", "one")
        body = function_bodies(script)["upgrade"]
        assert body.index("create_table('users'") < body.index("SELECT 'users'")

    def test_directives_can_be_made_where_nothing_differs(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def process(context: Any, revision: Any, directives: Any) -> None:
            directives[0].upgrade_ops.ops.append(ops.ExecuteSQLOp("SELECT 7"))

        project = Project(
            tmp_path, engines, context={"process_revision_directives": process}
        )
        (script,) = caller(project.alembic, "revision", "one")
        assert "SELECT 7" in Path(script.path).read_text()

    def test_an_error_in_a_hook_is_the_users_and_writes_nothing(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def process(context: Any, revision: Any, directives: Any) -> None:
            raise LookupError("the user's own")

        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            context={"process_revision_directives": process},
        )

        with pytest.raises(LookupError, match="the user's own"):
            caller(project.alembic, "revision", "one")

        assert project.files() == {}

    def test_include_object_leaves_things_out(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def include(object: Any, name: Any, type_: Any, *args: Any) -> bool:
            return not (type_ == "table" and name.startswith("ext_"))

        metadata = table("users")
        sa.Table("ext_roads", metadata, sa.Column("id", sa.Integer))
        project = Project(
            tmp_path, engines, metadatas=metadata, context={"include_object": include}
        )
        caller.execute(project.engine, "CREATE TABLE ext_places (id INTEGER)")
        (script,) = caller(project.alembic, "revision", "one")
        assert "ext_" not in Path(script.path).read_text()
        caller(project.alembic, "upgrade")
        assert not caller(project.alembic, "needs_revision")

    def test_render_item_writes_types_of_the_users_own(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def render(type_: str, object: Any, context: Any) -> str | bool:
            if type_ == "type" and isinstance(object, Money):
                context.imports.add(f"from {__name__} import Money")
                return "Money()"

            return False

        metadata = table("orders", sa.Column("total", Money()))
        project = Project(
            tmp_path, engines, metadatas=metadata, context={"render_item": render}
        )
        (script,) = caller(project.alembic, "revision", "one")
        text = Path(script.path).read_text()
        assert "sa.Column('total', Money(), nullable=True)" in text
        assert f"from {__name__} import Money" in text
        caller(project.alembic, "upgrade")
        assert caller.columns(project.engine, "orders") == {"id", "total"}

    def test_user_module_prefix_writes_them_too(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            metadatas=table("orders", sa.Column("total", Money())),
            context={"user_module_prefix": "types."},
        )
        (script,) = caller(project.alembic, "revision", "one")
        assert "types.Money()" in Path(script.path).read_text()

    @pytest.mark.parametrize("context", [{}, {"render_as_batch": False}], ids=str)
    def test_sqlite_gets_what_it_can_run_unless_told_otherwise(
        self,
        context: dict[str, Any],
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
    ) -> None:
        name = sa.Column("name", sa.String(20), nullable=False)
        project = Project(
            tmp_path, engines, metadatas=table("users", name), context=context
        )
        caller.execute(
            project.engine,
            "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20))",
            "INSERT INTO users VALUES (1, 'Ann')",
        )
        (script,) = caller(project.alembic, "revision", "not null")
        is_batch = "op.batch_alter_table('users'" in Path(script.path).read_text()
        assert is_batch != bool(context)

        if is_batch:
            caller(project.alembic, "upgrade")
            assert not caller(project.alembic, "needs_revision")
            assert caller.query(project.engine, "SELECT * FROM users") == [(1, "Ann")]

    @pytest.mark.parametrize("with_sqlite", [False, True])
    def test_one_revision_for_several_kinds_is_what_each_can_run(
        self, with_sqlite: bool, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """A batch is plain ``ALTER TABLE`` elsewhere. Without need there is none."""
        backends = [by_id("sqlite-sqlite3")] if with_sqlite else []
        backends.append(by_id("postgresql-psycopg2"))
        made = {f"db{n}": engines(backend) for n, backend in enumerate(backends)}
        made["default"] = engines(backends[-1])
        metadatas: Any = {
            # Only in a batch, constraints without a name get one.
            name: table("users", sa.Column("name", sa.Text, unique=with_sqlite))
            for name in made
        }
        app = make_app("flask", tmp_path)
        alembic = Alembic(app, metadatas=metadatas, engines=made)

        for engine in made.values():
            caller.execute(engine, "CREATE TABLE users (id INTEGER PRIMARY KEY)")

        (script,) = caller(alembic, "revision", "name")
        text = Path(script.path).read_text()
        assert ("op.batch_alter_table" in text) == with_sqlite
        caller(alembic, "upgrade")
        assert not caller(alembic, "needs_revision")
        caller(alembic, "downgrade")

        for engine in made.values():
            assert caller.columns(engine, "users") == {"id"}

    def test_a_constraint_that_a_directive_leaves_without_a_name_stays_so(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Only those get one that Alembic itself would add or drop."""

        def process(context: Any, revision: Any, directives: Any) -> None:
            check = sa.CheckConstraint("id > 0")
            sa.Table("users", sa.MetaData(), sa.Column("id"), check)
            drop = ops.DropConstraintOp.from_constraint(check)
            create = ops.CreateUniqueConstraintOp(None, "users", ["id"])
            directives[0].upgrade_ops.ops += [drop, create]

        project = Project(
            tmp_path, engines, context={"process_revision_directives": process}
        )

        with warnings.catch_warnings():
            # Newer versions of Alembic tell that no database could run it.
            warnings.filterwarnings("ignore", "Autogenerate rendered")
            (script,) = caller(project.alembic, "revision", "one")

        body = function_bodies(script)["upgrade"]
        assert "drop_constraint(None, 'users'" in body
        assert "create_unique_constraint(op.f('uq_users_id'), 'users'" in body

    def test_tables_are_dropped_before_those_that_they_refer_to(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Their indexes go with them. Those of a circle are in no order."""
        project = Project(tmp_path, engines)
        key = "REFERENCES"
        caller.execute(
            project.engine,
            "CREATE TABLE b (id INTEGER PRIMARY KEY)",
            f"CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER {key} b (id))",
            f"CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER {key} a (id))",
            "CREATE INDEX i ON c (a)",
        )
        (script,) = caller(project.alembic, "revision", "none")
        body = function_bodies(script)["upgrade"]
        dropped = re.findall(r"op\.(\w+)\('(\w+)'", body)
        assert dropped == [("drop_table", name) for name in "cab"]
        assert "create_index" in function_bodies(script)["downgrade"]
        caller(project.alembic, "upgrade")
        assert caller.tables(project.engine) == set()
        caller(project.alembic, "downgrade")
        assert caller.tables(project.engine) == {*"abc"}

    def test_tables_that_refer_to_each_other_are_dropped_all_the_same(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines)
        caller.execute(
            project.engine,
            "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id))",
            "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id))",
        )

        with warnings.catch_warnings():
            # SQLAlchemy tells of the circle.
            warnings.filterwarnings("ignore", "Cannot correctly sort tables")
            caller(project.alembic, "revision", "none")

        caller(project.alembic, "upgrade")
        assert caller.tables(project.engine) == set()

    @awaited_only
    @pytest.mark.parametrize(
        ("type_", "model", "found", "differs"),
        [
            (sa.String(9), "it's", "'it''s'", False),
            (sa.String(9), "it's", "'its'", True),
            (sa.String(9), "a\\b", r"'a\\b'", True),
            (sa.String(9), "a", "CURRENT_TIMESTAMP", True),
            (sa.String(9), None, "'a'", True),
            (sa.Integer(), "7", "7", False),
            (sa.Integer(), "7", "8", True),
            (sa.DateTime(), sa.func.current_timestamp(), "CURRENT_TIMESTAMP", False),
        ],
        ids=str,
    )
    def test_a_default_has_changed_if_its_value_has_on_sqlite(
        self,
        type_: sa.types.TypeEngine[Any],
        model: Any,
        found: str,
        differs: bool,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
    ) -> None:
        project = project_with_default(MEMORY, type_, model, tmp_path, engines)
        caller.execute(project.engine, table_with_default(project, type_, found))
        assert caller(project.alembic, "needs_revision") is differs

    @awaited_only
    @on([by_id("mariadb-asyncmy")])
    @pytest.mark.parametrize(
        ("type_", "model", "found", "differs"),
        [
            (sa.String(9), "it's", "'it''s'", False),
            (sa.String(9), "a\\b", r"'a\\b'", False),
            (sa.String(9), "a", "'b'", True),
            (sa.Numeric(5, 2), "1.5", "1.5", False),
            (sa.Numeric(5, 2), "1.5", "1.6", True),
            (sa.DateTime(), sa.func.now(), "CURRENT_TIMESTAMP", False),
            (sa.DateTime(), "2020-01-02", "CURRENT_TIMESTAMP", True),
        ],
        ids=str,
    )
    def test_a_default_has_changed_if_its_value_has_on_mariadb(
        self,
        type_: sa.types.TypeEngine[Any],
        model: Any,
        found: str,
        differs: bool,
        backend: Backend,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
    ) -> None:
        """It shows ``1.5`` as ``1.50``, and ``now()`` as ``current_timestamp()``."""
        project = project_with_default(backend, type_, model, tmp_path, engines)
        caller.execute(project.engine, table_with_default(project, type_, found))
        assert caller(project.alembic, "needs_revision") is differs


def project_with_default(
    backend: Backend,
    type_: sa.types.TypeEngine[Any],
    default: Any,
    root: Path,
    engines: EngineFactory,
) -> Project:
    """An app whose models have a column with a default."""
    return Project(
        root,
        engines,
        backend=backend,
        metadatas=table("users", sa.Column("x", type_, server_default=default)),
        context={"compare_server_default": True},
    )


def table_with_default(
    project: Project, type_: sa.types.TypeEngine[Any], default: str
) -> str:
    """The statement that makes the table with another one."""
    compiled = type_.compile(project.engine.dialect)
    return (
        "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY,"
        f" x {compiled} DEFAULT {default})"
    )


class Money(sa.types.UserDefinedType[Any]):
    """A type of the user's own."""

    cache_ok = True

    def get_col_spec(self, **kwargs: Any) -> str:
        return "NUMERIC"


@pytest.fixture
def stamp_hook(tmp_path: Path) -> Path:
    """A program that adds a line with its arguments to the file it is given last."""
    path = tmp_path / "stamp.py"
    path.write_text(
        "import sys\n"
        "with open(sys.argv[-1], 'a') as f:\n"
        "    f.write(f'# {sys.argv[1:-1]}\\n')\n"
    )
    return path


class TestPostWriteHooks:
    def test_programs_are_run_on_the_new_file_in_order(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, stamp_hook: Path
    ) -> None:
        copy = tmp_path / "copy.txt"
        project = Project(
            tmp_path / "app",
            engines,
            post_write_hooks={
                "hooks": "first, second, third",
                "first.type": "exec",
                "first.executable": sys.executable,
                "first.options": f"{stamp_hook} first REVISION_SCRIPT_FILENAME",
                "second.type": "exec",
                "second.executable": sys.executable,
                "second.options": f"{stamp_hook} --two 2 REVISION_SCRIPT_FILENAME",
                # The one entry point that Alembic's requirements bring.
                "third.type": "console_scripts",
                "third.entrypoint": "mako-render",
                "third.options": f"--output-file {copy} REVISION_SCRIPT_FILENAME",
            },
        )
        (script,) = caller(project.alembic, "revision", "one", empty=True)
        text = Path(script.path).read_text()
        assert text.endswith("# ['first']\n# ['--two', '2']\n")
        assert copy.read_text().strip() == text.strip()
        caller(project.alembic, "revision", "two", empty=True, branch="other")
        merged = caller(project.alembic, "merge")
        assert Path(merged.path).read_text().endswith("# ['--two', '2']\n")

    def test_what_a_hook_changed_is_returned(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, registered: Any
    ) -> None:
        def hook(path: str, options: dict[str, str]) -> None:
            file = Path(path)
            file.write_text(file.read_text().replace("first", options["word"]))

        registered["replace"] = hook
        project = Project(
            tmp_path,
            engines,
            post_write_hooks={
                "hooks": "words",
                "words.type": "replace",
                "words.word": "another",
            },
        )
        (script,) = caller(project.alembic, "revision", "first", empty=True)
        assert script.doc == "another"

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"first.type": "nowhere"}, "nowhere"),
            ({}, "first.type"),
            ({"first.type": "exec"}, "first.executable"),
            ({"first.type": "exec", "first.executable": "no-such-program"}, "no-such"),
            ({"first.type": "console_scripts"}, "first.entrypoint"),
            (
                {"first.type": "console_scripts", "first.entrypoint": "nowhere"},
                "nowhere",
            ),
            ({"first.type": "failing"}, "the hook's own"),
        ],
    )
    def test_a_hook_that_cannot_run_is_named_and_leaves_no_file(
        self,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
        registered: Any,
        options: dict[str, str],
        reason: str,
    ) -> None:
        def fail(path: str, options: object) -> None:
            raise OSError("the hook's own")

        registered["failing"] = fail
        project = Project(
            tmp_path, engines, post_write_hooks={"hooks": "first", **options}
        )

        with pytest.raises(AsyncAlembicError, match=reason) as caught:
            caller(project.alembic, "revision", "one", empty=True)

        assert "'first'" in str(caught.value)
        assert project.files() == {}
        assert caller(project.alembic, "heads") == ()

    def test_a_hook_that_breaks_the_file_is_told_with_its_line(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, registered: Any
    ) -> None:
        def hook(path: str, options: object) -> None:
            Path(path).write_text("revision = 'a'\n1 / 0\n")

        registered["break"] = hook
        project = Project(
            tmp_path,
            engines,
            post_write_hooks={"hooks": "first", "first.type": "break"},
        )

        with pytest.raises(RevisionFileError) as caught:
            caller(project.alembic, "revision", "one", empty=True)

        assert caught.value.line == 2

    @pytest.fixture
    def registered(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
        """Alembic's hooks, to add some to: its decorator does so for good."""
        hooks = dict(write_hooks._registry)
        monkeypatch.setattr(write_hooks, "_registry", hooks)
        yield hooks

    @on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
    @pytest.mark.parametrize("empty", [True, False])
    def test_a_slow_hook_does_not_stall_the_loop(
        self,
        backend: Backend,
        tmp_path: Path,
        engines: EngineFactory,
        registered: Any,
        runner: asyncio.Runner,
        empty: bool,
    ) -> None:
        registered["slow"] = lambda path, options: time.sleep(0.3)
        project = Project(
            tmp_path,
            engines,
            backend=backend,
            metadatas=table(),
            post_write_hooks={"hooks": "slow", "slow.type": "slow"},
        )

        async def main() -> int:
            ticks = 0
            writing = asyncio.create_task(project.alembic.revision("one", empty))

            while not writing.done():
                await asyncio.sleep(0.01)
                ticks += 1

            assert len(writing.result()) == 1
            return ticks

        assert runner.run(main()) > 10


class TestPlace:
    """Parents, labels, dependencies and folders."""

    @pytest.fixture
    def history(self, project: Project) -> Project:
        """aaaa - bbbb - cccc, and dddd on a branch of its own."""
        write_revision(project.folder, "aaaa", labels=["default"])
        write_revision(project.folder, "bbbb", "aaaa")
        write_revision(project.folder, "cccc", "bbbb")
        write_revision(project.folder, "dddd", labels=["other"])
        return project

    def test_it_follows_the_head_of_its_branch(
        self, history: Project, caller: Caller
    ) -> None:
        (script,) = caller(history.alembic, "revision", "one", empty=True)
        assert script.down_revision == "cccc"
        (script,) = caller(history.alembic, "revision", "two", True, "other")
        assert script.down_revision == "dddd"

    @pytest.mark.parametrize(
        ("parent", "expected"),
        [
            ("cccc", "cccc"),
            ("ccc", "cccc"),
            ("default@head", "cccc"),
            (["cccc", "dddd"], ("cccc", "dddd")),
            ("heads", ("cccc", "dddd")),
            ("base", None),
            ("default@base", None),
        ],
    )
    def test_it_follows_the_parents_it_is_given(
        self, history: Project, caller: Caller, parent: Any, expected: Any
    ) -> None:
        (script,) = caller(
            history.alembic, "revision", "one", empty=True, branch="", parent=parent
        )
        assert script.down_revision == expected

    @pytest.mark.parametrize(("steps", "parent"), [(-1, "a1"), (-2, None), (-3, None)])
    def test_a_parent_may_be_some_steps_below_the_head(
        self, project: Project, caller: Caller, steps: int, parent: str | None
    ) -> None:
        write_revision(project.folder, "a1")
        write_revision(project.folder, "a2", "a1")

        def revision() -> Any:
            return caller(
                project.alembic, "revision", "one", True, parent=steps, splice=True
            )

        if parent is None:
            with pytest.raises(RevisionError, match="fewer revisions"):
                revision()
        else:
            assert revision()[0].down_revision == parent

    def test_a_script_is_a_parent_too(self, history: Project, caller: Caller) -> None:
        parents = caller(history.alembic, "heads")
        (script,) = caller(history.alembic, "revision", "one", True, parent=parents)
        assert {*script.down_revision} == {"cccc", "dddd"}
        (script,) = caller(history.alembic, "revision", "two", True, parent=script)
        assert script.is_head

    def test_a_parent_that_is_no_head_must_be_spliced(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        with pytest.raises(RevisionError, match="splice"):
            caller(history.alembic, "revision", "one", empty=True, parent="bbbb")

        assert history.files() == before
        (script,) = caller(
            history.alembic, "revision", "one", True, parent="bbbb", splice=True
        )
        assert script.down_revision == "bbbb"
        assert names(caller(history.alembic, "branches")) == ["bbbb"]

    def test_a_parent_that_is_not_there_is_named(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        for argument in "parent", "depend":
            with pytest.raises(RevisionNotFoundError, match="'zzzz'"):
                caller(history.alembic, "revision", "one", True, **{argument: "zzzz"})

        assert history.files() == before

    def test_the_head_is_not_clear_without_a_branch(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        with pytest.raises(MultipleHeadsError) as caught:
            caller(history.alembic, "revision", "one", empty=True, branch="")

        assert {*caught.value.heads} == {"cccc", "dddd"}
        assert history.files() == before

    @pytest.mark.parametrize(
        ("depend", "expected"),
        [("dddd", "dddd"), ("ddd", "dddd"), ("other", "other"), (["dddd"], "dddd")],
    )
    def test_it_depends_on_others(
        self, history: Project, caller: Caller, depend: Any, expected: str
    ) -> None:
        (script,) = caller(history.alembic, "revision", "one", True, depend=depend)
        assert script.dependencies == expected
        target = f"default@{script.revision}"
        assert "dddd" in names(caller(history.alembic, "upgrade", target))

    @pytest.mark.parametrize(
        ("label", "expected"),
        [("x", {"x"}), (["x", "y"], {"x", "y"}), (("x",), {"x"}), ([], set())],
    )
    def test_it_is_labelled(
        self, history: Project, caller: Caller, label: Any, expected: set[str]
    ) -> None:
        (script,) = caller(history.alembic, "revision", "one", True, label=label)
        assert {*(script.module.branch_labels or ())} == expected
        (head,) = caller(history.alembic, "heads")[:1]
        assert head.revision == script.revision
        assert head.branch_labels == {"default", *expected}

    def test_a_label_that_is_taken_is_refused(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        with pytest.raises(RevisionError, match="other"):
            caller(history.alembic, "revision", "one", True, label="other")

        assert history.files() == before

    def test_a_path_is_relative_to_the_apps_root(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines, version_locations=["more/revisions"])
        folder = tmp_path / "more" / "revisions"
        (script,) = caller(
            project.alembic, "revision", "one", True, path="more/revisions"
        )
        assert Path(script.path).parent == folder
        (script,) = caller(project.alembic, "revision", "two", True, path=str(folder))
        assert Path(script.path).parent == folder
        (script,) = caller(project.alembic, "revision", "three", True)
        assert Path(script.path).parent == folder
        (script,) = caller(project.alembic, "revision", "four", True, path="migrations")
        assert Path(script.path).parent == project.folder
        assert len(caller(project.alembic, "log")) == 4

    def test_a_path_that_is_not_read_is_refused(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        with pytest.raises(AsyncAlembicError, match="elsewhere"):
            caller(history.alembic, "revision", "one", True, path="elsewhere")

        assert history.files() == before
        assert not (history.root / "elsewhere").exists()


class TestMerge:
    @pytest.fixture
    def history(self, project: Project) -> Project:
        write_revision(project.folder, "aaaa", labels=["default"])
        write_revision(project.folder, "bbbb", "aaaa")
        write_revision(project.folder, "cccc", "aaaa")
        return project

    def test_two_heads_become_one(self, history: Project, caller: Caller) -> None:
        script = caller(history.alembic, "merge")
        assert {*script.down_revision} == {"bbbb", "cccc"}
        assert docstring(script) == "merge heads"
        assert names(caller(history.alembic, "heads")) == [script.revision]
        assert caller(history.alembic, "merge") is None
        assert len(caller(history.alembic, "upgrade")) == 4

    @pytest.mark.parametrize("revisions", [["bbbb", "cccc"], ("bbb", "ccc")])
    def test_the_revisions_can_be_named(
        self, history: Project, caller: Caller, revisions: Any
    ) -> None:
        script = caller(history.alembic, "merge", revisions, label="both")
        assert script.down_revision == ("bbbb", "cccc")
        assert docstring(script) == f"merge {', '.join(revisions)}"
        assert "both" in script.branch_labels

    def test_one_revision_needs_no_merge(
        self, history: Project, caller: Caller
    ) -> None:
        before = history.files()

        for revisions in "bbbb", ["bbbb", "bbbb"], "default@bbbb", "aaaa":
            assert caller(history.alembic, "merge", revisions) is None

        assert history.files() == before

    def test_a_revision_that_is_no_head_must_be_spliced(
        self, history: Project, caller: Caller
    ) -> None:
        write_revision(history.folder, "dddd", "cccc")
        before = history.files()

        with pytest.raises(RevisionError, match="splice"):
            caller(history.alembic, "merge", ["bbbb", "cccc"])

        assert history.files() == before
        script = caller(history.alembic, "merge", ["bbbb", "cccc"], splice=True)
        assert {*names(caller(history.alembic, "heads"))} == {"dddd", script.revision}

    def test_a_revision_that_is_not_there_is_named(
        self, history: Project, caller: Caller
    ) -> None:
        with pytest.raises(RevisionNotFoundError, match="'zzzz'"):
            caller(history.alembic, "merge", ["bbbb", "zzzz"])

    def test_it_works_with_several_databases(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            metadatas={"default": table("users"), "log": table("events")},
        )
        for branch in "default", "other":
            caller(project.alembic, "revision", branch, True, branch)

        script = caller(project.alembic, "merge")
        assert {"upgrade_default", "upgrade_log"} <= {*function_bodies(script)}
        assert len(caller(project.alembic, "upgrade")) == 3
        (script,) = caller(project.alembic, "revision", "tables")
        assert names(caller(project.alembic, "upgrade")) == [script.revision]
        assert caller(project.alembic, "revision", "nothing") == []

    def test_it_goes_beside_its_parents(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines)
        folder = project.folder / "versions"
        write_revision(folder, "aaaa")
        write_revision(folder, "bbbb")
        script = caller(project.alembic, "merge")
        assert Path(script.path).parent == folder


def function_bodies(script: Script) -> dict[str, str]:
    """The code of each function in a revision file."""
    source = Path(script.path).read_text()
    return {
        node.name: textwrap.dedent(ast.get_source_segment(source, node) or "")
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }


def test_an_id_that_is_taken_is_counted_up(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """As when two machines make a revision in the same second, and merge."""

    class Fixed(Alembic):
        def rev_id(self) -> str:
            return "1000"

    project = Project(tmp_path, engines, alembic=Fixed)
    made = [
        script.revision
        for message in ("one", "two", "three")
        for script in caller(project.alembic, "revision", message, empty=True)
    ]
    assert made == ["1000", "1001", "1002"]


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
