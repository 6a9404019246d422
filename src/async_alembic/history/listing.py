"""Which files a script directory has, and whether they change: each folder is listed
once, and no file is opened.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import os
import re
import typing as t

#: Modification time in nanoseconds, size in bytes, inode.
Stamp: t.TypeAlias = tuple[int, int, int]

CACHE = "__pycache__"
# What Alembic takes for the name of a revision file, and of one without its source.
_source = re.compile(r"(?!\.\#|__init__).+\.py\Z")
_sourceless = re.compile(r"(?!\.\#|__init__).+\.pyc?\Z")


@dataclasses.dataclass(frozen=True)
class Listing:
    """How the files of a script directory are found.

    :param folders: The folders, absolute.
    :param sourceless: Whether bytecode is taken where there is no source.
    :param recursive: Whether folders within the folders are searched.
    """

    folders: c.Sequence[str]
    sourceless: bool
    recursive: bool

    def take(self) -> dict[str, Stamp]:
        """List the files that may be revisions, in the order in which Alembic does.

        :return: For each real path, what changes when the file is edited.
        """
        found: dict[str, Stamp] = {}
        pattern = _sourceless if self.sourceless else _source

        for folder in map(os.path.realpath, self.folders):
            for entry in self._walk(folder):
                path, name = entry.path, entry.name

                if entry.is_symlink():
                    path = os.path.realpath(path)
                    name = os.path.basename(path)

                if path in found or not pattern.match(name):
                    continue

                # It may be gone by now, or be a link to nowhere.
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat()
                    found[path] = status.st_mtime_ns, status.st_size, status.st_ino

        return found

    def _walk(self, folder: str) -> c.Iterator[os.DirEntry[str]]:
        entries = _entries(folder)
        yield from filter(os.DirEntry.is_file, entries)

        if self.sourceless:
            names = {entry.name.partition(".")[0] for entry in entries}

            for entry in _entries(os.path.join(folder, CACHE)):
                if entry.is_file() and entry.name.partition(".")[0] not in names:
                    yield entry

        if self.recursive:
            for entry in entries:
                if entry.name != CACHE and entry.is_dir(follow_symlinks=False):
                    yield from self._walk(entry.path)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
