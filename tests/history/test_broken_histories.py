"""Histories that cannot be read: the file is named, and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import RevisionFileError

from ..harness import Caller
from ..harness import write_revision


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
        sentence = f"aaaa refers to itself. Correct '{key}'"

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

        with pytest.raises(RevisionFileError, match="bbbb is not in any revision file"):
            caller(alembic, method)
