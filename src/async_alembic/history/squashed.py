"""What a squash writes into its file: the ids of the revisions that it replaces."""

from __future__ import annotations

import collections.abc as c
import contextlib
import re
from pathlib import Path

_mark = re.compile(rb"^# Squashes: ([\w., ]+)$", re.MULTILINE)


def mark(replaced: c.Iterable[str]) -> str:
    """Return the comment for the end of a file.

    :param replaced: The ids of the revisions that it replaces.
    """
    return f"\n# Squashes: {', '.join(replaced)}\n"


def read_mark(path: str) -> list[str]:
    """Return the ids of the revisions that a file replaces, if it is by a squash."""
    with contextlib.suppress(OSError):
        if found := _mark.search(Path(path).read_bytes().replace(b"\r\n", b"\n")):
            return found[1].decode().split(", ")

    return []
