"""The file ``head`` beside the revisions, which has the id of the last one.

Two branches of a repository that both add a revision change its only line, which git
reports as a conflict.
"""

from __future__ import annotations

import functools
import os
import typing as t

from ..errors import HeadFileError
from ..errors import MultipleHeadsError
from .headers import as_tuple
from .replacing import replace_file

if t.TYPE_CHECKING:
    from .graph import RevisionGraph
    from .headers import Header
    from .listing import Folders

NAME = "head"
_CONFLICT = "<<<<<<<"
_ADVICE = "Put your revisions on top of the others with 'db rebase'."


class HeadFiles:
    """The ``head`` files of a history: one in the script directory, and one in each
    other folder of ``version_locations`` that has revisions. The last revision of a
    folder is the one that has no child in the same folder.

    :param folders: The folders with the revisions.
    :param graph: Their graph.
    """

    def __init__(self, folders: Folders, graph: RevisionGraph) -> None:
        self._folders = folders
        self._graph = graph

    @functools.cached_property
    def heads(self) -> dict[str, list[str]]:
        """The ids of the last revisions in each folder; one in each, if the history is
        linear.
        """
        members: dict[str, list[str]] = {}

        for revision, path in self._graph.paths.items():
            members.setdefault(self.folder_of(path), []).append(revision)

        return {
            folder: [
                revision
                for revision in revisions
                if self._graph.children_of(revision).isdisjoint(revisions)
            ]
            for folder, revisions in members.items()
        }

    def folder_of(self, path: str) -> str:
        """Return the folder whose ``head`` file counts for a revision file."""
        main = os.path.realpath(self._folders.main)
        others = map(os.path.realpath, self._folders.others)
        inside = [folder for folder in others if path.startswith(f"{folder}{os.sep}")]
        return max(inside, key=len, default=main)

    def check(self) -> None:
        """Check that the history is linear, and that the files say the same.

        :raises HeadFileError: If a file names another revision, or has the markers of a
            conflict.
        :raises MultipleHeadsError: If there are several heads in a folder.
        """
        for folder, heads in self.heads.items():
            path = os.path.join(folder, NAME)
            named = _read(path)

            if named is not None and named.startswith(_CONFLICT):
                raise HeadFileError(path, None, heads[0])

            if len(heads) > 1:
                raise MultipleHeadsError(heads, _ADVICE)

            if named is not None and named != heads[0]:
                raise HeadFileError(path, named, heads[0])

    def check_next(self, path: str, header: Header) -> None:
        """Check that a new revision does not make a second head.

        :param path: The path of the file.
        :param header: Its header.
        :raises MultipleHeadsError: If it would.
        """
        last = self.heads.get(self.folder_of(path), [])

        if not {*last} <= {*as_tuple(header.down_revision)}:
            raise MultipleHeadsError([*last, header.revision], _ADVICE)

    def write(self) -> list[str]:
        """Write the files of all folders that have one head.

        :return: The paths of those that were changed.
        """
        written = []

        for folder, heads in self.heads.items():
            path = os.path.join(folder, NAME)

            if len(heads) == 1 and _read(path) != heads[0]:
                replace_file(path, f"{heads[0]}\n".encode())
                written.append(path)

        return written


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None
