from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import sqlite3
import tempfile
import typing as t
from pathlib import Path

from ...errors import FreshDatabaseError
from .base import PREFIX
from .base import Server

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_SUFFIXES = ("", "-journal", "-wal", "-shm")


class SQLiteServer(Server):
    """Copies files, and fills databases in memory by SQLite's backup.

    The URL is that of a folder, of a file that is not there, beside which the others
    are made, or of a database in memory.

    Other processes are kept out, and told that this one is there, by SQLite's own
    locks, which end with the process.
    """

    is_slow: bool = False

    def __init__(self, url: sa.URL, run: str) -> None:
        super().__init__(url, run)
        self.in_memory: bool = url.database in {None, "", ":memory:"}

    def open(self) -> None:
        self._folder = self._find_folder()
        self._is_alive = _connect(self._folder / f"{PREFIX}{self.run}.lock")
        self._open_lock()
        # Having read, it keeps others from writing until its transaction ends.
        self._is_alive.execute("BEGIN")
        self._is_alive.execute("SELECT * FROM sqlite_master").fetchall()

    def _find_folder(self) -> Path:
        if self.in_memory:
            # Another user's could not be written.
            folder = Path(tempfile.gettempdir()) / f"{PREFIX}{getpass.getuser()}"
            folder.mkdir(exist_ok=True)
            return folder

        path = Path(self.url.database or "")

        if path.is_dir():
            return path

        if path.exists() and not path.name.startswith(PREFIX):
            raise FreshDatabaseError.not_empty(os.fspath(path))

        if not path.parent.is_dir():
            raise FreshDatabaseError(
                f"There is no folder '{path.parent}' for databases of tests. Make it,"
                " or let the server's URL name another one."
            )

        return path.parent

    def leave(self) -> None:
        self._is_alive.close()

    def close(self) -> None:
        self._is_alive.close()

        if self.try_lock():
            # Whoever has it open will open another one.
            self._lock_path.unlink()

        self._lock.close()

        if self.in_memory:
            # Others may have something in it.
            with contextlib.suppress(OSError):
                self._folder.rmdir()

    def _open_lock(self) -> None:
        self._lock_path = self._folder / f"{PREFIX}templates.lock"
        self._lock = _connect(self._lock_path)

        # Until something is asked for, the file is not opened.
        with contextlib.suppress(sqlite3.OperationalError):
            self._lock.execute("SELECT * FROM sqlite_master").fetchall()

        self._lock_file = _inode(self._lock_path)

    def try_lock(self) -> bool:
        if not self._lock_is_there():
            # It was removed by who had it last.
            self._lock.close()
            self._open_lock()

        # Meanwhile, too.
        return _try_to_lock(self._lock) and self._lock_is_there()

    def _lock_is_there(self) -> bool:
        return _inode(self._lock_path) == self._lock_file

    def unlock(self) -> None:
        self._lock.execute("ROLLBACK")

    def is_alive(self, run: str) -> bool:
        path = self._folder / f"{PREFIX}{run}.lock"

        if not path.exists():
            return False

        with contextlib.closing(_connect(path)) as connection:
            return not _try_to_lock(connection)

    def sweep(self) -> None:
        super().sweep()

        for path in self._folder.glob(f"{PREFIX}*.lock"):
            run = path.stem.removeprefix(PREFIX)

            if path != self._lock_path and not self.is_alive(run):
                path.unlink()

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def url_of(self, name: str) -> sa.URL:
        return self.url.set(database=self._path(name))

    def names(self) -> list[str]:
        return [path.stem for path in self._folder.glob(f"{PREFIX}*.db")]

    def create(self, name: str) -> None:
        Path(self._path(name)).touch()

    def drop(self, name: str) -> None:
        path = self._path(name)

        for suffix in _SUFFIXES:
            # Mostly there is only one of them, so that it pays to look.
            if os.path.exists(f"{path}{suffix}"):
                os.unlink(f"{path}{suffix}")

    def has_template(self, name: str) -> bool:
        return os.path.exists(self._path(name))

    def publish(self, built: str, template: str) -> None:
        # Unlike the file, a backup has what is still in the write-ahead log.
        whole = self.new_name()

        with (
            contextlib.closing(_connect(self._path(built))) as source,
            contextlib.closing(_connect(self._path(whole))) as target,
        ):
            source.backup(target)

        self.drop(built)
        os.replace(self._path(whole), self._path(template))

    def copy(self, template: str, name: str) -> None:
        shutil.copyfile(self._path(template), self._path(name))

    def fill(self, connection: sa.Connection, template: str) -> None:
        path = self._path(template)
        target: t.Any = connection.connection.driver_connection

        if connection.dialect.is_async:
            adapted: t.Any = connection.connection.dbapi_connection
            adapted.run_async(lambda _: _fill_async(path, target))
            return

        with contextlib.closing(_connect(path)) as source:
            source.backup(target)

    def _path(self, name: str) -> str:
        return f"{self._folder}{os.sep}{name}.db"


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _connect(path: str | Path) -> sqlite3.Connection:
    # None: it begins no transaction by itself.
    return sqlite3.connect(
        path, isolation_level=None, timeout=0, check_same_thread=False
    )


async def _fill_async(path: str, target: t.Any) -> None:
    import aiosqlite

    async with aiosqlite.connect(path) as source:
        await source.backup(target)


def _try_to_lock(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False

    return True
