"""Which files are revisions."""

from __future__ import annotations

import codecs
import os
import py_compile
from pathlib import Path

import pytest

from async_alembic import Alembic

from ..backends import EngineFactory
from ..harness import Caller
from ..harness import write_revision
from ..projects import names
from ..projects import Project


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


def _files(folder: Path) -> list[Path]:
    return [
        Path(root, name)
        for root, _, found in os.walk(folder)
        for name in found
        if not root.endswith("__pycache__")
    ]
