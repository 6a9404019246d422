"""All revision files, as of when they were listed, and their graph."""

from __future__ import annotations

import collections.abc as c
import os
import typing as t

from ..errors import ScriptLocationError
from .graph import RevisionGraph
from .reading import read_revision

if t.TYPE_CHECKING:
    from .listing import FileSignature
    from .listing import Folders
    from .reading import ParsedFile


class RevisionFiles:
    """The revision files of an app. At head, nothing else is needed of the history.

    Finds revisions in the script directory itself, as Flask-Alembic writes them, and in
    its subfolder ``versions``, as Alembic and Flask-Migrate do. ``env.py`` and other
    files that are not revisions are not executed.

    :param folders: The folders with the files.
    :param previous: The files as read earlier. Unchanged files are not read again.
    :raises ScriptLocationError: If the script directory does not exist.
    :raises RevisionFileError: If a file is broken, a duplicate, or part of a cycle.
    """

    def __init__(self, folders: Folders, previous: RevisionFiles | None = None) -> None:
        if not os.path.isdir(folders.main):
            raise ScriptLocationError(folders.main)

        self.folders = folders
        # Listed before any file is read, so that no change is missed.
        self._listed = folders.list_files()
        #: The result of reading each revision file, by its path.
        self.parsed: c.Mapping[str, ParsedFile] = dict(self._read(previous))
        #: The graph of the revisions.
        self.graph: RevisionGraph = _build_graph(self.parsed)

    def ids(self) -> c.Set[str]:
        """Return the ids of all revisions."""
        return self.graph.paths.keys()

    @property
    def empty_folder(self) -> str | None:
        """The script directory, if there are no revisions."""
        return None if self.parsed else self.folders.main

    def squashed_into(self, revision: str) -> str | None:
        """Return the id of the revision that has replaced one by a squash, if any. This
        reads all files.
        """
        from .squashed import read_mark

        paths = self.graph.paths.items()
        return next((id for id, path in paths if revision in read_mark(path)), None)

    def is_stale(self) -> bool:
        """Whether a file was added, edited or removed since the files were listed."""
        return self._listed != self.folders.list_files()

    def add(self, path: str, parsed: ParsedFile) -> None:
        """Add a file that was just written.

        :raises RevisionFileError: If the history is not valid with it. Nothing is added
            then.
        """
        files = {**self.parsed, path: parsed}
        self.graph = _build_graph(files)
        self.parsed = files
        # As it was not listed, its removal would not be noticed.
        self._listed = {**self._listed, path: (0, 0, 0)}

    def _read(
        self, previous: RevisionFiles | None
    ) -> c.Iterator[tuple[str, ParsedFile]]:
        for path, signature in self._listed.items():
            known = previous._get_unchanged(path, signature) if previous else None
            parsed = known or read_revision(self.folders, path)

            if parsed is not None:
                yield path, parsed

    def _get_unchanged(self, path: str, signature: FileSignature) -> ParsedFile | None:
        """Return the earlier result of reading a file, if the file is unchanged."""
        parsed = self.parsed.get(path)
        # A file that had to be imported may compute another header next time.
        is_known = parsed is not None and parsed.module is None
        return parsed if is_known and self._listed.get(path) == signature else None


def _build_graph(files: c.Mapping[str, ParsedFile]) -> RevisionGraph:
    return RevisionGraph({path: parsed.header for path, parsed in files.items()})
