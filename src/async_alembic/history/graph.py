"""What the headers of all revision files say together: whether they make a history, and
where it ends. Alembic's own map, which tells as much, takes longer than to read them.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import graphlib
import os
import re
import typing as t
from pathlib import Path

from alembic.util import to_tuple

from ..errors import RevisionFileError

if t.TYPE_CHECKING:
    from .headers import Header


class RevisionGraph:
    """Revisions of which each follows others.

    :param headers: The header of each file, by its path.
    :raises RevisionFileError: If an id or a label is there twice, if what a revision
        follows is not there, or if some follow each other in a circle.
    """

    def __init__(self, headers: c.Mapping[str, Header]) -> None:
        self._headers = headers
        #: The file of each revision.
        self.paths: dict[str, str] = {}
        #: The revision that gives a branch its label, by the label.
        self.labels: dict[str, str] = {}

        for path, header in headers.items():
            self._add(path, header.revision)

        for path, header in headers.items():
            for label in to_tuple(header.branch_labels, default=()):
                self._add_label(path, header.revision, label)

        predecessors = {
            header.revision: self._predecessors(path, header)
            for path, header in headers.items()
        }
        self._check_order(predecessors)
        #: The ids of the revisions that no other one follows or depends on.
        self.last: c.Set[str] = self.paths.keys() - set().union(*predecessors.values())

    def _add(self, path: str, revision: str) -> None:
        if (other := self.paths.setdefault(revision, path)) != path:
            raise RevisionFileError(
                path,
                line_of(path, "revision"),
                f"revision {revision} is also in {other}. Give one of them another id.",
            )

    def _add_label(self, path: str, revision: str, label: str) -> None:
        owner = label if label in self.paths else self.labels.get(label)

        if owner is not None:
            raise RevisionFileError(
                path,
                line_of(path, "branch_labels"),
                f"its label {label} is also in {self.paths[owner]}. Give one of them"
                " another.",
            )

        self.labels[label] = revision

    def _predecessors(self, path: str, header: Header) -> list[str]:
        """The ids of the revisions that one follows or depends on."""
        parents: tuple[str, ...] = to_tuple(header.down_revision, default=())
        dependencies: tuple[str, ...] = to_tuple(header.depends_on, default=())

        for parent in parents:
            if parent not in self.paths:
                raise RevisionFileError(
                    path,
                    line_of(path, "down_revision"),
                    f"its parent {parent} is in no revision file. Restore that file, or"
                    " correct 'down_revision'.",
                )

        for dependency in dependencies:
            if dependency not in self.paths and dependency not in self.labels:
                raise RevisionFileError(
                    path,
                    line_of(path, "depends_on"),
                    f"it depends on {dependency}, which is no revision and no branch."
                    " Correct 'depends_on'.",
                )

        return [*parents, *(self.labels.get(name, name) for name in dependencies)]

    def _check_order(self, predecessors: c.Mapping[str, c.Collection[str]]) -> None:
        try:
            graphlib.TopologicalSorter(predecessors).prepare()
        except graphlib.CycleError as e:
            circle: set[str] = {*e.args[1]}
        else:
            return

        path = self.paths[min(circle)]
        header = self._headers[path]
        parents = to_tuple(header.down_revision, default=())
        key = "depends_on" if circle.isdisjoint(parents) else "down_revision"

        if len(circle) == 1:
            what = f"revision {header.revision} follows itself. Correct '{key}'."
        else:
            what = (
                f"the revisions {', '.join(sorted(circle))} follow each other in a"
                " circle. Correct 'down_revision' or 'depends_on' in one of them."
            )

        raise RevisionFileError(path, line_of(path, key), what)


def line_of(path: str | os.PathLike[str], name: str) -> int | None:
    """The line, counted from 1, in which a variable is assigned."""
    with contextlib.suppress(OSError):
        lines = Path(path).read_text(errors="replace").splitlines()

        for number, line in enumerate(lines, 1):
            if re.match(rf"{name}\s*[:=]", line):
                return number

    return None
