"""List the files of a script directory, and detect changes. Each folder is listed once,
and no file is opened.
"""

from __future__ import annotations

import collections.abc as c
import os
import typing as t

#: Modification time in nanoseconds, size in bytes, inode: changes with the file.
FileSignature: t.TypeAlias = tuple[int, int, int]

CACHE = "__pycache__"
#: Alembic accepts any other name: these are locks of Emacs, and packages.
_IGNORED = (".#", "__init__")


class Folders(t.NamedTuple):
    """The folders with the revision files.

    :param main: The script directory, as an absolute path.
    :param others: More folders, as absolute paths.
    :param sourceless: Whether to list bytecode files that have no source file.
    :param recursive: Whether to search subfolders.
    :param encoding: The encoding of the files.
    """

    main: str
    others: tuple[str, ...] = ()
    sourceless: bool = False
    recursive: bool = False
    encoding: str = "utf-8"

    @property
    def paths(self) -> list[str]:
        """All folders that are searched, and the script directory's ``versions``."""
        versions = [] if self.recursive else [os.path.join(self.main, "versions")]
        return [self.main, *versions, *self.others]

    def list_files(self) -> dict[str, FileSignature]:
        """List the files that may be revisions, in the same order as Alembic.

        :return: The signature of each file, by its real path.
        """
        found: dict[str, FileSignature] = {}
        suffixes = (".py", ".pyc") if self.sourceless else (".py",)

        for folder in map(os.path.realpath, self.paths):
            for entry in self._walk(folder):
                path, name = entry.path, entry.name

                if entry.is_symlink():
                    path = os.path.realpath(path)
                    name = os.path.basename(path)

                if not name.endswith(suffixes) or name.startswith(_IGNORED):
                    continue

                if path in found or name in suffixes:
                    continue

                try:
                    status = entry.stat()
                except FileNotFoundError:
                    # The file was removed, or is a broken link.
                    continue

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
