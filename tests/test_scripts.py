"""Which files are revisions, and that changes of them are noticed."""

from __future__ import annotations

import codecs
import concurrent.futures
import os
import py_compile
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import RevisionFileError
from async_alembic import ScriptLocationError
from async_alembic import SyncAlembic

from .apps import Caller
from .apps import make_app
from .apps import write_revision
from .backends import EngineFactory
from .projects import names
from .projects import Project


@pytest.fixture
def alembic(tmp_path: Path, engines: EngineFactory) -> Iterator[Alembic]:
    # The app lives as long as its project.
    project = Project(tmp_path, engines, framework="quart")
    yield project.alembic


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "migrations"


class TestChanges:
    """A server runs for days, and a shell for hours, while files are written."""

    def test_an_added_file_is_found(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        write_revision(folder, "aaaa")
        assert names(caller(alembic, "heads")) == ["aaaa"]
        write_revision(folder, "bbbb", "aaaa")
        assert names(caller(alembic, "heads")) == ["bbbb"]
        assert names(caller(alembic, "upgrade")) == ["aaaa", "bbbb"]

    def test_a_removed_file_is_gone(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        write_revision(folder, "aaaa")
        added = write_revision(folder, "bbbb", "aaaa")
        assert names(caller(alembic, "heads")) == ["bbbb"]
        added.unlink()
        assert names(caller(alembic, "heads")) == ["aaaa"]

    def test_a_renamed_file_is_the_same_revision(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        path = write_revision(folder, "aaaa")
        assert caller(alembic, "heads")[0].path == str(path)
        path.rename(folder / "first.py")
        assert caller(alembic, "heads")[0].path == str(folder / "first.py")

    @pytest.mark.parametrize("bytecode", [True, False])
    def test_an_edit_within_a_second_is_seen(
        self,
        alembic: Alembic,
        folder: Path,
        caller: Caller,
        bytecode: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Python takes its cached bytecode to be up to date if the time, in seconds,
        and the size are the same.
        """
        monkeypatch.setattr(sys, "dont_write_bytecode", not bytecode)

        for revision in "aaaa", "bbbb", "cccc":
            path = write_revision(folder, revision)
            path.replace(folder / "first.py")
            assert names(caller(alembic, "heads")) == [revision]

    def test_an_edited_body_is_what_runs(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        write_revision(folder, "aaaa", upgrade="raise ValueError('first')")

        with pytest.raises(AsyncAlembicError, match="first"):
            caller(alembic, "upgrade")

        write_revision(folder, "aaaa")
        assert names(caller(alembic, "upgrade")) == ["aaaa"]

    def test_a_mended_file_is_read_again(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        broken = write_revision(folder, "aaaa", top="this is no Python")

        for _ in range(2):
            with pytest.raises(RevisionFileError) as caught:
                caller(alembic, "upgrade")

            assert caught.value.path == str(broken)

        write_revision(folder, "aaaa")
        assert names(caller(alembic, "upgrade")) == ["aaaa"]

    def test_a_folder_that_comes_later_is_read(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        shutil.rmtree(folder)

        with pytest.raises(ScriptLocationError) as caught:
            caller(alembic, "heads")

        assert caught.value.path == str(folder)
        caller(alembic, "mkdir")
        assert caller(alembic, "heads") == ()
        write_revision(folder / "versions", "aaaa")
        assert names(caller(alembic, "heads")) == ["aaaa"]

    def test_files_may_come_and_go_while_others_look(
        self, alembic: Alembic, folder: Path
    ) -> None:
        """An editor renames its temporary files; ``git checkout`` removes some."""
        write_revision(folder, "aaaa")
        end = time.monotonic() + 0.5

        def look() -> set[str]:
            seen = set()

            while time.monotonic() < end:
                seen.update(names(alembic.sync.heads()))

            return seen

        with concurrent.futures.ThreadPoolExecutor(3) as executor:
            lookers = [executor.submit(look) for _ in range(3)]

            while time.monotonic() < end:
                write_revision(folder.parent, "bbbb", "aaaa").rename(folder / "b.py")
                (folder / "b.py").unlink()

            for looker in lookers:
                assert looker.result() <= {"aaaa", "bbbb"}

    def test_the_same_files_are_not_read_twice(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        write_revision(folder, "aaaa")
        (first,) = caller(alembic, "heads")
        (second,) = caller(alembic, "heads")
        assert first is second


class TestFiles:
    def test_both_folders_hold_one_history(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        """Flask-Alembic has its files in the folder, Alembic in the one below it."""
        write_revision(folder / "versions", "aaaa")
        write_revision(folder, "bbbb", "aaaa")
        write_revision(folder / "versions", "cccc", "bbbb")
        assert names(caller(alembic, "log")) == ["cccc", "bbbb", "aaaa"]

    def test_what_is_no_revision_is_not_executed(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        """An ``env.py`` of Alembic or Flask-Migrate would run the migrations."""
        boom = "raise SystemExit('this was executed')\n"
        (folder / "env.py").write_text(f"revision = 'env'\n{boom}")
        (folder / "helpers.py").write_text(boom)
        (folder / "__init__.py").write_text(boom)
        (folder / "broken.py").write_text("def (")
        (folder / "README").write_text("Generic single-database configuration.")
        (folder / "alembic.ini").write_text("[alembic]\n")
        (folder / "notes.pyc.txt").write_bytes(b"\0")
        (folder / "versions").mkdir()
        (folder / "versions" / "__init__.py").write_text(boom)
        (folder / "versions" / ".#aaaa.py").write_text(boom)
        (folder / "versions" / "data.sql").write_text("SELECT 1")
        (folder / "sub").mkdir()
        (folder / "sub" / "aaaa.py").write_text(boom)
        write_revision(folder / "versions", "bbbb")
        before = {path: path.read_bytes() for path in _files(folder)}
        assert names(caller(alembic, "upgrade")) == ["bbbb"]
        assert {path: path.read_bytes() for path in _files(folder)} == before

    @pytest.mark.parametrize(
        "header",
        [
            "revision = 'aaaa'\ndown_revision = None\n",
            "revision: str = 'aaaa'\ndown_revision: str | None = None\n",
            'revision="aaaa"\ndown_revision=None\n',
            "down_revision = None; revision = 'aaaa'\n",
            "import datetime\nrevision = 'a' * 4\ndown_revision = None\n",
            "revision, down_revision = 'aaaa', None\n",
            "(revision, down_revision) = 'aaaa', None\n",
            "if True:\n    revision = 'aaaa'\n    down_revision = None\n",
        ],
        ids=range(8),
    )
    @pytest.mark.parametrize("place", [".", "versions"])
    def test_every_way_to_write_the_header_is_read(
        self, alembic: Alembic, folder: Path, caller: Caller, header: str, place: str
    ) -> None:
        path = folder / place / "first.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{header}\ndef upgrade(): pass\ndef downgrade(): pass\n")
        assert names(caller(alembic, "heads")) == ["aaaa"]

    @pytest.mark.parametrize(
        ("first_line", "encoding"),
        [
            ("", "utf-8"),
            ("", "utf-8-sig"),
            ("# -*- coding: latin-1 -*-", "latin-1"),
            ("# coding: cp1252", "cp1252"),
            ("# -*- coding: utf-8 -*-", "utf-8-sig"),
        ],
    )
    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_a_file_may_be_in_any_encoding(
        self,
        alembic: Alembic,
        folder: Path,
        caller: Caller,
        first_line: str,
        encoding: str,
        newline: str,
    ) -> None:
        source = (
            f'{first_line}\n"""Größe, naïve, ½."""\n'
            "revision = 'aaaa'\ndown_revision = None\n"
            "def upgrade(): pass\ndef downgrade(): pass\n"
        )
        data = source.lstrip("\n").replace("\n", newline).encode(encoding)
        assert encoding != "utf-8-sig" or data.startswith(codecs.BOM_UTF8)
        (folder / "first.py").write_bytes(data)
        (script,) = caller(alembic, "heads")
        assert script.revision == "aaaa"
        assert script.doc == "Größe, naïve, ½."

    def test_a_bom_before_the_revision_is_no_hindrance(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        (folder / "first.py").write_text(
            "revision = 'aaaa'\ndown_revision = None\n", "utf-8-sig"
        )
        assert names(caller(alembic, "heads")) == ["aaaa"]

    def test_files_below_the_folder_are_found_if_that_is_asked_for(
        self, tmp_path: Path, folder: Path, caller: Caller, engines: EngineFactory
    ) -> None:
        project = Project(tmp_path, engines, recursive_version_locations=True)
        write_revision(folder, "aaaa")
        write_revision(folder / "versions", "bbbb", "aaaa")
        write_revision(folder / "versions" / "2024" / "01", "cccc", "bbbb")
        write_revision(folder / "2025", "dddd", "cccc")
        write_revision(folder / "__pycache__", "eeee", "dddd")
        (folder / "env.py").write_text("raise SystemExit")
        (folder / "2025" / "helpers.py").write_text("raise SystemExit")
        assert names(caller(project.alembic, "log")) == ["dddd", "cccc", "bbbb", "aaaa"]

    @pytest.mark.parametrize("place", [".", "versions"])
    @pytest.mark.parametrize("cached", [True, False], ids=["pycache", "beside"])
    def test_compiled_files_are_read_if_that_is_asked_for(
        self,
        tmp_path: Path,
        folder: Path,
        caller: Caller,
        engines: EngineFactory,
        place: str,
        cached: bool,
    ) -> None:
        project = Project(tmp_path, engines, sourceless=True)

        for revision, after in ("aaaa", None), ("bbbb", "aaaa"):
            path = write_revision(folder / place, revision, after)
            py_compile.compile(str(path), None if cached else f"{path}c", doraise=True)
            path.unlink()

        assert names(caller(project.alembic, "upgrade")) == ["aaaa", "bbbb"]

    def test_compiled_files_are_not_read_where_their_source_is(
        self, tmp_path: Path, folder: Path, caller: Caller, engines: EngineFactory
    ) -> None:
        project = Project(tmp_path, engines, sourceless=True)
        path = write_revision(folder, "aaaa")
        py_compile.compile(str(path), doraise=True)
        (script,) = caller(project.alembic, "heads")
        assert script.path == str(path)

    def test_compiled_files_are_not_read_otherwise(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        path = write_revision(folder, "aaaa")
        py_compile.compile(str(path), f"{path}c", doraise=True)
        path.unlink()
        assert caller(alembic, "heads") == ()

    def test_a_file_that_is_reached_twice_is_read_once(
        self, tmp_path: Path, folder: Path, caller: Caller, engines: EngineFactory
    ) -> None:
        write_revision(folder / "versions", "aaaa")
        (tmp_path / "link").symlink_to(folder / "versions")
        project = Project(
            tmp_path,
            engines,
            version_locations=[
                "migrations",
                "migrations/versions",
                ("users", "migrations/../migrations/versions"),
                "link",
            ],
        )
        assert names(caller(project.alembic, "heads")) == ["aaaa"]

    def test_a_link_to_nowhere_is_no_file(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        """Emacs locks a file that it edits by one, with a name that ends in ``.py``."""
        write_revision(folder, "aaaa")
        (folder / ".#aaaa.py").symlink_to("user@host.1234:1700000000")
        (folder / "bbbb.py").symlink_to("gone.py")
        assert names(caller(alembic, "heads")) == ["aaaa"]

    def test_a_revision_finds_the_files_beside_it(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        write_revision(
            folder / "versions",
            "aaaa",
            top="from pathlib import Path\nsql = Path(__file__).with_suffix('.sql')",
            upgrade="op.execute(sql.read_text())",
        )
        (folder / "versions" / "aaaa.sql").write_text("CREATE TABLE users (id INTEGER)")
        assert names(caller(alembic, "upgrade")) == ["aaaa"]

    def test_a_version_location_that_is_missing_holds_nothing(
        self, tmp_path: Path, folder: Path, caller: Caller, engines: EngineFactory
    ) -> None:
        project = Project(
            tmp_path, engines, run_mkdir=False, version_locations=["gone"]
        )
        write_revision(folder, "aaaa")
        assert names(caller(project.alembic, "heads")) == ["aaaa"]
        assert not (tmp_path / "gone").exists()


class TestBrokenHistories:
    """The error names the file, and the line where there is one."""

    @pytest.fixture(params=[".", "versions"])
    def place(self, folder: Path, request: pytest.FixtureRequest) -> Path:
        place: Path = folder / request.param
        place.mkdir(exist_ok=True)
        return place

    @pytest.mark.parametrize(
        ("code", "line", "reason"),
        [
            ("revision = 'aaaa'\ndown_revision = None\ndef (", 3, "SyntaxError"),
            ("revision = 'aaaa'\ndown_revision = None\n1 / 0", 3, "ZeroDivisionError"),
            ("import nowhere_at_all\nrevision = 'aaaa'", 1, "ModuleNotFoundError"),
            ("\n\nrevision = undefined", 3, "NameError"),
            ("revision = 'aaaa'\n  down_revision = None", 2, "IndentationError"),
            ("revision = 'aaaa'\n", None, "down_revision"),
            ("down_revision = None\n", None, "revision"),
            ("revision = 'aaaa'\ndown_revision = None\n\0", None, "null bytes"),
            ("revision = 'aaaa'\ndown_revision = 'zzzz'\n", 2, "zzzz"),
            ("revision = 'aaaa'\ndown_revision = 'aaaa'\n", 2, "aaaa"),
            ("revision = None\ndown_revision = None\n", 1, "revision"),
            ("revision = 12\ndown_revision = None\n", 1, "revision"),
            ("revision = ''\ndown_revision = None\n", 1, "revision"),
            ("revision = 'a@b'\ndown_revision = None\n", 1, "@"),
            ("revision = 'aaaa'\ndown_revision = 12\n", 2, "12"),
            (
                "revision = 'aaaa'\ndown_revision = None\ndepends_on = 'zzzz'\n",
                3,
                "zzzz",
            ),
        ],
    )
    def test_a_broken_file_is_named_with_its_line(
        self,
        alembic: Alembic,
        place: Path,
        caller: Caller,
        code: str,
        line: int | None,
        reason: str,
    ) -> None:
        path = place / "first.py"
        path.write_text(code)

        # What follows the header is read when it is to be run.
        with pytest.raises(RevisionFileError, match=reason) as caught:
            caller(alembic, "upgrade")

        assert caught.value.path == str(path)
        assert caught.value.line == line or line is None
        assert str(path) in str(caught.value)

    def test_bytes_that_are_no_text_are_named(
        self, alembic: Alembic, place: Path, caller: Caller
    ) -> None:
        path = place / "first.py"
        path.write_bytes(b"'\xff\xfe'\nrevision = 'aaaa'\ndown_revision = None\n")

        with pytest.raises(RevisionFileError) as caught:
            caller(alembic, "heads")

        assert caught.value.path == str(path)

    def test_a_file_that_exits_does_not_end_the_process(
        self, alembic: Alembic, place: Path, caller: Caller
    ) -> None:
        path = place / "first.py"
        path.write_text("revision = 'aaaa'\nimport sys\nsys.exit(3)\n")

        with pytest.raises(RevisionFileError) as caught:
            caller(alembic, "heads")

        assert (caught.value.path, caught.value.line) == (str(path), 3)

    def test_an_id_that_is_there_twice_names_both_files(
        self, alembic: Alembic, folder: Path, place: Path, caller: Caller
    ) -> None:
        first = write_revision(folder, "aaaa")
        second = first.rename(place / "copy.py")
        first = write_revision(folder, "aaaa")

        with pytest.raises(RevisionFileError, match="aaaa") as caught:
            caller(alembic, "heads")

        assert str(first) in str(caught.value)
        assert str(second) in str(caught.value)
        assert caught.value.line == 4

    def test_a_cycle_names_a_file_of_it(
        self, alembic: Alembic, place: Path, caller: Caller
    ) -> None:
        write_revision(place, "aaaa")
        cycle = [
            write_revision(place, "bbbb", ("aaaa", "dddd")),
            write_revision(place, "cccc", "bbbb"),
            write_revision(place, "dddd", "cccc"),
        ]

        with pytest.raises(RevisionFileError, match="bbbb, cccc, dddd") as caught:
            caller(alembic, "heads")

        assert caught.value.path in map(str, cycle)
        assert caught.value.line == 5

    def test_a_cycle_of_dependencies_names_a_file_of_it(
        self, alembic: Alembic, place: Path, caller: Caller
    ) -> None:
        cycle = [
            write_revision(place, "aaaa", depends_on="bbbb"),
            write_revision(place, "bbbb", depends_on="aaaa"),
        ]

        with pytest.raises(RevisionFileError, match="aaaa, bbbb") as caught:
            caller(alembic, "heads")

        assert caught.value.path in map(str, cycle)

    @pytest.mark.parametrize(
        ("parent", "dependency", "key"),
        [("aaaa", None, "down_revision"), (None, "aaaa", "depends_on")],
    )
    def test_a_revision_that_follows_itself_is_named(
        self,
        alembic: Alembic,
        place: Path,
        caller: Caller,
        parent: str | None,
        dependency: str | None,
        key: str,
    ) -> None:
        path = write_revision(place, "aaaa", parent, depends_on=dependency)
        sentence = f"aaaa follows itself. Correct '{key}'"

        with pytest.raises(RevisionFileError, match=sentence) as caught:
            caller(alembic, "heads")

        assert caught.value.path == str(path)

    def test_a_label_that_is_there_twice_names_both_files(
        self, alembic: Alembic, place: Path, caller: Caller
    ) -> None:
        write_revision(place, "aaaa", labels=["users"])
        write_revision(place, "bbbb", labels=["users"])

        with pytest.raises(AsyncAlembicError, match="users") as caught:
            caller(alembic, "heads")

        assert "aaaa" in str(caught.value) and "bbbb" in str(caught.value)

    @pytest.mark.parametrize("revision", ["aaaa", "users"])
    def test_a_label_that_is_a_revision_too_is_named(
        self, alembic: Alembic, place: Path, caller: Caller, revision: str
    ) -> None:
        write_revision(place, revision)
        path = write_revision(place, "users" if revision != "users" else "bbbb")
        path.write_text(path.read_text() + "branch_labels = 'users'\n")

        with pytest.raises(RevisionFileError, match="label users is also in") as caught:
            caller(alembic, "heads")

        assert caught.value.path == str(path)

    @pytest.mark.parametrize("dependency", ["aaa", "aaaa@head", "gone"])
    def test_a_dependency_on_anything_but_an_id_or_a_branch_is_named(
        self, alembic: Alembic, place: Path, caller: Caller, dependency: str
    ) -> None:
        write_revision(place, "aaaa")
        path = write_revision(place, "bbbb", depends_on=dependency)

        with pytest.raises(
            RevisionFileError, match=f"on {dependency}, which"
        ) as caught:
            caller(alembic, "heads")

        assert caught.value.path == str(path)

    @pytest.mark.parametrize("method", ["upgrade", "status", "needs_upgrade", "log"])
    def test_no_command_goes_on_with_a_broken_history(
        self, alembic: Alembic, folder: Path, caller: Caller, method: str
    ) -> None:
        write_revision(folder, "aaaa")
        write_revision(folder, "cccc", "bbbb")

        with pytest.raises(RevisionFileError, match="bbbb is in no revision file"):
            caller(alembic, method)


@dataclass(frozen=True)
class Node:
    """A revision of a made-up history, by the numbers of others."""

    parents: tuple[int, ...]
    depends_on: tuple[int, ...]
    labelled: bool


@st.composite
def histories(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []

    for number in range(draw(st.integers(1, 7))):
        size = min(number, 2)
        earlier = st.lists(st.integers(0, number - 1), unique=True, max_size=size)
        parents = draw(earlier) if number else []
        depends_on = draw(earlier) if number else []
        depends_on = [other for other in depends_on if other not in parents]
        labelled = draw(st.booleans()) if not parents else False
        nodes.append(Node(tuple(parents), tuple(depends_on), labelled))

    return nodes


def write_history(folder: Path, nodes: list[Node]) -> None:
    def one_or_several(ids: list[str]) -> str | tuple[str, ...] | None:
        return tuple(ids) if len(ids) > 1 else ids[0] if ids else None

    for number, node in enumerate(nodes):
        write_revision(
            folder,
            f"r{number}000",
            one_or_several([f"r{parent}000" for parent in node.parents]),
            labels=[f"label{number}"] if node.labelled else [],
            depends_on=one_or_several(
                [
                    f"label{other}" if nodes[other].labelled else f"r{other}000"
                    for other in node.depends_on
                ]
            ),
        )


class Reference:
    """Alembic itself, on the same files and a database of its own."""

    def __init__(self, folder: Path) -> None:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.set_main_option("version_locations", str(folder))
        config.set_main_option("path_separator", "os")
        self.config = config
        self.scripts = ScriptDirectory.from_config(config)
        self.engine = sa.create_engine("sqlite://")
        self.connection = self.engine.connect()
        self.connection.exec_driver_sql("CREATE TABLE alembic_version (version_num)")
        self.connection.commit()

    def close(self) -> None:
        self.connection.close()
        self.engine.dispose()

    def migrate(self, plan: str, target: str) -> list[str] | None:
        """The ids of what was run, in order; None if Alembic refuses to."""
        run: list[str] = []

        def steps(heads: Any, context: Any) -> Any:
            for step in getattr(self.scripts, plan)(target, heads):
                yield step
                run.append(step.revision.revision)

        environment = EnvironmentContext(self.config, self.scripts, fn=steps)

        with environment:
            # Else a plan that fails on its way would stay half applied on SQLite.
            environment.configure(connection=self.connection, transactional_ddl=True)

            try:
                with environment.begin_transaction():
                    environment.run_migrations()
            except Exception:
                return None

        return run

    def versions(self) -> set[str]:
        rows = self.connection.exec_driver_sql("SELECT * FROM alembic_version")
        versions = {row[0] for row in rows}
        self.connection.rollback()
        return versions


@settings(max_examples=60, deadline=None)
@given(histories(), st.lists(st.integers(0, 6), max_size=3), st.booleans())
def test_any_history_is_walked_as_alembic_walks_it(
    nodes: list[Node], stops: list[int], up_to_heads: bool
) -> None:
    """With merges, branches, dependencies and labels: the same heads, log, branches
    and plans, and the same rows in the version table after each of them.
    """
    with tempfile.TemporaryDirectory() as root, warnings.catch_warnings():
        # To go down by one from several heads is refused here, where Alembic warns.
        warnings.filterwarnings("error", "downgrade -1 from multiple heads")
        engine = sa.create_engine("sqlite://")
        app = make_app("flask", Path(root))
        alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine).sync
        folder = Path(root, "migrations")
        write_history(folder, nodes)
        reference = Reference(folder)

        try:
            _compare_files(alembic, reference)
            targets = [f"r{stop % len(nodes)}000" for stop in stops]

            for target in [*targets, "+1", *["heads"] * (2 * up_to_heads)]:
                _compare_migrations(alembic, reference, "upgrade", target)
                _compare_status(alembic, reference)

            for target in ["-1", *reversed(targets), "base"]:
                _compare_migrations(alembic, reference, "downgrade", target)
                _compare_status(alembic, reference)
        finally:
            reference.close()
            engine.dispose()


def _compare_files(alembic: SyncAlembic, reference: Reference) -> None:
    scripts = reference.scripts
    assert names(alembic.heads()) == [*scripts.get_heads()]
    assert names(alembic.heads(True)) == names(scripts.get_revisions("heads"))
    assert alembic.script_directory.get_bases() == scripts.get_bases()
    walked = list(scripts.walk_revisions())
    assert names(alembic.log()) == names(walked)
    assert names(alembic.branches()) == names([s for s in walked if s.is_branch_point])


def _compare_migrations(
    alembic: SyncAlembic, reference: Reference, method: str, target: str
) -> None:
    expected = reference.migrate(f"_{method}_revs", target)

    try:
        assert names(getattr(alembic, method)(target)) == expected
    except AsyncAlembicError:
        assert expected is None

    assert {s.revision for s in alembic.current()} == reference.versions()


def _compare_status(alembic: SyncAlembic, reference: Reference) -> None:
    heads = tuple(reference.versions())

    try:
        plan = reference.scripts._upgrade_revs("heads", heads)  # type: ignore[arg-type]
    except CommandError:
        # Some histories with dependencies are beyond Alembic.
        with pytest.raises(AsyncAlembicError):
            alembic.status()

        return

    pending = [step.revision.revision for step in plan]
    assert names(alembic.status()["default"].pending) == pending
    assert alembic.needs_upgrade() == bool(pending)


def _files(folder: Path) -> list[Path]:
    return [
        Path(root, name)
        for root, _, found in os.walk(folder)
        for name in found
        if not root.endswith("__pycache__")
    ]
