from __future__ import annotations

import collections.abc as c
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
    """Copies files, and loads in-memory databases with SQLite's backup.

    The URL names a folder, a file that does not exist yet (its folder is used), or an
    in-memory database.

    Its locks are SQLite's own file locks, which end with the process.
    """

    copy_in_worker: bool = False

    def __init__(self, url: sa.URL, run: str) -> None:
        super().__init__(url, run)
        self.in_memory: bool = url.database in {None, "", ":memory:"}

    def open(self) -> None:
        self._folder = self._find_folder()
        self._run_lock = _connect(self._folder / f"{PREFIX}{self.run}.lock")
        self._open_template_lock()
        # Reading takes a shared lock until the transaction ends.
        self._run_lock.execute("BEGIN")
        self._run_lock.execute("SELECT * FROM sqlite_master").fetchall()

    def _find_folder(self) -> Path:
        if self.in_memory:
            # A folder of another user would not be writable.
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
                f"The folder '{path.parent}' for test databases does not exist. Create"
                " it, or use another folder in the server URL."
            )

        return path.parent

    def release_run_lock(self) -> None:
        self._run_lock.close()

    def close(self) -> None:
        self._run_lock.close()

        if self.try_template_lock():
            # Processes that have the removed file open will create a new one.
            self._template_lock_path.unlink()

        self._template_lock.close()

        if self.in_memory:
            # Not empty while other processes use it.
            with contextlib.suppress(OSError):
                self._folder.rmdir()

    def _open_template_lock(self) -> None:
        self._template_lock_path = self._folder / f"{PREFIX}templates.lock"
        self._template_lock = _connect(self._template_lock_path)

        # SQLite opens the file with the first query.
        with contextlib.suppress(sqlite3.OperationalError):
            self._template_lock.execute("SELECT * FROM sqlite_master").fetchall()

        self._template_lock_inode = _inode(self._template_lock_path)

    def try_template_lock(self) -> bool:
        if not self._template_lock_exists():
            # Its last user has removed the file.
            self._template_lock.close()
            self._open_template_lock()

        # The file can also be removed before it is locked.
        return _try_to_lock(self._template_lock) and self._template_lock_exists()

    def _template_lock_exists(self) -> bool:
        return _inode(self._template_lock_path) == self._template_lock_inode

    def release_template_lock(self) -> None:
        self._template_lock.execute("ROLLBACK")

    def is_alive(self, run: str) -> bool:
        path = self._folder / f"{PREFIX}{run}.lock"

        if not path.exists():
            return False

        with contextlib.closing(_connect(path)) as connection:
            return not _try_to_lock(connection)

    def drop_leftovers(self) -> None:
        super().drop_leftovers()

        for path in self._folder.glob(f"{PREFIX}{'[0-9a-f]' * 8}.lock"):
            if not self.is_alive(path.stem.removeprefix(PREFIX)):
                path.unlink()

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def url_of(self, name: str) -> sa.URL:
        return self.url.set(database=self._path(name))

    def database_names(self) -> list[str]:
        return [path.stem for path in self._folder.glob(f"{PREFIX}*.db")]

    def create(self, name: str) -> None:
        Path(self._path(name)).touch()

    def drop(self, name: str) -> None:
        path = self._path(name)

        for suffix in _SUFFIXES:
            # Usually only one exists, and a failing unlink() is slower.
            if os.path.exists(f"{path}{suffix}"):
                os.unlink(f"{path}{suffix}")

    def has_template(self, name: str) -> bool:
        return os.path.exists(self._path(name))

    def publish(self, source: str, template: str) -> None:
        # Unlike a copy of the file, a backup includes the write-ahead log.
        backup = self.new_name()

        with (
            self._plain_files(),
            contextlib.closing(_connect(self._path(source))) as source_connection,
            contextlib.closing(_connect(self._path(backup))) as backup_connection,
        ):
            source_connection.backup(backup_connection)

        self.drop(source)
        os.replace(self._path(backup), self._path(template))

    def copy(self, template: str, name: str) -> None:
        shutil.copyfile(self._path(template), self._path(name))

    def load_template(self, connection: sa.Connection, template: str) -> None:
        path = self._path(template)
        target: t.Any = connection.connection.driver_connection

        if not connection.dialect.is_async and not isinstance(
            target, sqlite3.Connection
        ):
            raise self._not_plain()

        if connection.dialect.is_async:
            adapted: t.Any = connection.connection.dbapi_connection
            adapted.run_async(lambda _: _load_async(path, target))
            return

        with contextlib.closing(_connect(path)) as source:
            source.backup(target)

    @contextlib.contextmanager
    def _plain_files(self) -> c.Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as e:
            if e.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
                raise

            raise self._not_plain() from e

    def _not_plain(self) -> FreshDatabaseError:
        return FreshDatabaseError(
            f"Test databases cannot be copied with '{self.url.drivername}', because"
            " Python's 'sqlite3' cannot open them, for example if they are encrypted."
            " Use 'sqlite' or 'sqlite+aiosqlite' in the server URL, and let the app"
            " factory create an engine for that URL."
        )

    def _path(self, name: str) -> str:
        return f"{self._folder}{os.sep}{name}.db"


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _connect(path: str | Path) -> sqlite3.Connection:
    # isolation_level=None: no implicit BEGIN.
    return sqlite3.connect(
        path, isolation_level=None, timeout=0, check_same_thread=False
    )


async def _load_async(path: str, target: t.Any) -> None:
    import aiosqlite

    async with aiosqlite.connect(path) as source:
        await source.backup(target)


def _try_to_lock(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    # It can also be a file of another program.
    except sqlite3.DatabaseError:
        return False

    return True
