"""Finds the process that has locked a file. Only Linux shows it."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

from ...results import LockHolder

_LOCKS = Path("/proc/locks")


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
