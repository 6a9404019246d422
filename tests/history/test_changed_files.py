"""Changes of revision files are noticed."""

from __future__ import annotations

import concurrent.futures
import shutil
import sys
import time
from pathlib import Path

import pytest

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import RevisionFileError
from async_alembic import ScriptLocationError

from ..harness import Caller
from ..harness import write_revision
from ..projects import names


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

    def test_a_written_file_that_is_removed_at_once_is_gone(
        self, alembic: Alembic, folder: Path, caller: Caller
    ) -> None:
        """As by a switch to another branch of the repository."""
        [script] = caller(alembic, "revision", "first", True)
        Path(script.path).unlink()
        assert caller(alembic, "heads") == ()

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
