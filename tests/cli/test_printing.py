"""What is printed never decides what is migrated."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest

from async_alembic import MigrationError

from ..harness import write_revision
from .project import on_every_app
from .project import Project


class Narrow(io.TextIOWrapper):
    """The console of a system whose encoding has few letters."""

    def __init__(self) -> None:
        self.written = io.BytesIO()
        super().__init__(self.written, "cp1252", write_through=True)


class Full(io.StringIO):
    """The file of a disk that is full, or a pipe that nobody reads any more.

    :param room: How often it can be written to.
    """

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, text: str) -> int:
        self.room -= 1

        if self.room < 0:
            raise OSError(28, "No space left on device")

        return super().write(text)


def rename_revision(db: Project) -> None:
    path = db.migrations / "a1.py"
    path.write_text(path.read_text().replace("Revision a1.", "добавить"), "utf-8")


@on_every_app
@pytest.mark.parametrize("args", [("upgrade",), ("log",), ("show", "a1")], ids=str)
def test_what_cannot_be_encoded_is_replaced(
    args: tuple[str, ...], db: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename_revision(db)
    console = Narrow()
    monkeypatch.setattr("sys.stdout", console)
    run(db, *args)
    assert b"????????" in console.written.getvalue()
    assert db.versions == (["c3"] if args == ("upgrade",) else [])


@on_every_app
@pytest.mark.parametrize("room", range(5))
def test_an_upgrade_goes_on_if_it_cannot_print(
    room: int, db: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", Full(room))
    run(db, "upgrade")
    assert db.versions == ["c3"]


@on_every_app
def test_raiseerr_raises_the_error_with_its_causes(db: Project) -> None:
    write_revision(db.migrations, "d4", "c3", "{}['colour']")

    with pytest.raises(MigrationError) as caught:
        db("--raiseerr", "upgrade")

    assert isinstance(caught.value.__cause__, KeyError)


@on_every_app
def test_a_line_is_logged_for_each_revision(
    db: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever upgrades when a server starts sees no command line."""
    caplog.set_level(logging.INFO, "async_alembic")
    db("upgrade", "b2")
    lines = [line.rpartition(" (")[0] for line in caplog.messages]
    assert lines == [
        "Database 'default': upgrade a1, Revision a1.",
        "Database 'default': upgrade b2, Revision b2.",
    ]


def run(db: Project, *args: str) -> None:
    """Run a command with the streams of the process."""
    group: Any = db.app.cli.commands["db"]
    group.main(args, standalone_mode=False)
