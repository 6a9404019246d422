"""A copy of the revision files in a temporary folder, to try out other ones there."""

from __future__ import annotations

import collections.abc as c
import os
import shutil
import tempfile
from pathlib import Path


class CopiedHistory:
    """A copy of the folders of a history.

    :param main: The script directory.
    :param others: The other folders with revisions.
    """

    def __init__(self, main: str, others: c.Iterable[str]) -> None:
        self._main = os.path.realpath(main)
        self._others = [*map(os.path.realpath, others)]
        self._folder = Path(tempfile.mkdtemp(prefix="async_alembic_"))
        self._kept: dict[Path, bytes] = {}
        #: The copy of each folder, by its real path.
        self._copies = {self._main: self._folder / "main"}

        try:
            self._copy()
        except BaseException:
            self.remove()
            raise

    def _copy(self) -> None:
        main = self._copies[self._main]
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(self._main, main, ignore=ignore)

        for number, other in enumerate(self._others):
            if other.startswith(self._main + os.sep):
                self._copies[other] = main / os.path.relpath(other, self._main)
            else:
                self._copies[other] = self._folder / str(number)
                shutil.copytree(other, self._copies[other], ignore=ignore)

        versions = os.path.join(self._main, "versions")

        if os.path.isdir(versions):
            self._copies.setdefault(versions, main / "versions")

    @property
    def script_location(self) -> str:
        """The copy of the script directory."""
        return str(self._copies[self._main])

    @property
    def version_locations(self) -> list[str]:
        """The copies of the other folders."""
        return [str(self._copies[other]) for other in self._others]

    def folder_of(self, path: str) -> str:
        """Return the copy of the folder that a file is in.

        :param path: The path of the original file.
        """
        return str(self._copies[self._location_of(path)])

    def leave_out(self, paths: c.Iterable[str], restorable: bool = False) -> None:
        """Remove the copies of files.

        :param paths: The paths of the original files.
        :param restorable: Whether :meth:`restore` writes them again.
        """
        for path in paths:
            location = self._location_of(path)
            copy = self._copies[location] / os.path.relpath(path, location)

            if restorable:
                self._kept[copy] = copy.read_bytes()

            copy.unlink()

    def restore(self) -> None:
        """Write files again that were left out."""
        for copy, content in self._kept.items():
            copy.write_bytes(content)

    def original_of(self, copy: str, beside: str) -> str:
        """Return where the original of a new file belongs.

        :param copy: The path of the new file.
        :param beside: The path of an original file whose folder it is in.
        """
        location = self._location_of(beside)
        return os.path.join(location, os.path.relpath(copy, self._copies[location]))

    def remove(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _location_of(self, path: str) -> str:
        folders = (f for f in self._copies if path.startswith(f + os.sep))
        return max(folders, key=len)
