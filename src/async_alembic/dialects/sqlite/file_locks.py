"""Who has a file locked, as Linux tells. Elsewhere, nobody knows."""

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
    """Find a process that has a lock on a part of a file.

    :param path: The file.
    :param kind: Whether others may read it.
    :param offsets: Where the part can begin, in bytes.
    """
    # A file, a process or a right can be missing.
    with contextlib.suppress(OSError):
        inode = os.stat(path).st_ino

        for line in _LOCKS.read_text().splitlines():
            # 1: POSIX ADVISORY <kind> <pid> <major>:<minor>:<inode> <start> <end>,
            # with "->" before POSIX where a lock is waited for.
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
