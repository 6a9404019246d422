"""Finds the process that has locked a file. Only Linux shows it."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

import sqlalchemy as sa

from ...results import LockHolder
from .driver import pragma

_LOCKS = Path("/proc/locks")
#: The offsets of the locks of a writer and a reader in the file
#: (https://www.sqlite.org/src/file/src/os.h), and of a writer in its WAL index
#: (https://www.sqlite.org/walformat.html, section 2.3).
_WRITER = range(0x40000000, 0x40000003)
_READER = range(0x40000002, 0x40000200)
_WAL_WRITER = range(120, 121)


def find_blocker(connection: sa.Connection) -> LockHolder | None:
    """Return a process that writes to a database, or else one that reads it."""
    reader: t.Final = (_file_of(connection), "READ", _READER)
    return find_writer(connection) or find_holder(*reader)


def find_writer(connection: sa.Connection) -> LockHolder | None:
    """Return the process that writes to a database, if one does."""
    file = _file_of(connection)
    wal_writer = find_holder(f"{file}-shm", "WRITE", _WAL_WRITER)
    return wal_writer or find_holder(file, "WRITE", _WRITER)


def _file_of(connection: sa.Connection) -> str:
    rows = pragma(connection, "database_list")
    return next((row[2] for row in rows if row[1] == "main"), "")


def find_holder(
    path: str | os.PathLike[str], kind: t.Literal["READ", "WRITE"], offsets: range
) -> LockHolder | None:
    """Return a process that holds a lock on part of a file.

    :param path: The file.
    :param kind: The kind of the lock; ``"READ"`` locks are shared.
    :param offsets: The offsets at which the lock may start, in bytes.
    """
    # The file or the process may be gone, or access denied.
    with contextlib.suppress(OSError):
        inode = os.stat(path).st_ino

        for line in _LOCKS.read_text().splitlines():
            # 1: POSIX ADVISORY <kind> <pid> <major>:<minor>:<inode> <start> <end>,
            # with "->" before POSIX for a process that waits for the lock.
            fields = line.split()

            if (
                fields[1] == "POSIX"
                and fields[3] == kind
                and fields[5].rpartition(":")[2] == str(inode)
                and int(fields[6]) in offsets
            ):
                return _describe(int(fields[4]))

    return None


def _describe(pid: int) -> LockHolder:
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return LockHolder(pid, command.replace(b"\0", b" ").decode(errors="replace")[:100])
