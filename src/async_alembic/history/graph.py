"""The graph of the revisions, built from the headers of all files: checks the history
and finds its heads. Alembic's own map takes longer to build than reading the files.
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
    """Revisions and their parents and dependencies.

    :param headers: The header of each file, by its path.
    :raises RevisionFileError: If an id or a label is used twice, if a parent or a
        dependency is missing, or if there is a cycle.
    """

    def __init__(self, headers: c.Mapping[str, Header]) -> None:
        self._headers = headers
        #: The file of each revision.
        self.paths: dict[str, str] = {}
        #: The revision that carries each branch label, by the label.
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
        #: The ids of the revisions without a child and without a dependent revision.
        self.real_heads: c.Set[str] = self.paths.keys() - set().union(
            *predecessors.values()
        )

    def _add(self, path: str, revision: str) -> None:
        if (other := self.paths.setdefault(revision, path)) != path:
            raise RevisionFileError(
                path,
                line_of(path, "revision"),
                f"revision {revision} is also in {other}. Choose another id for one of"
                " the two.",
            )

    def _add_label(self, path: str, revision: str, label: str) -> None:
        owner = label if label in self.paths else self.labels.get(label)

        if owner is not None:
            raise RevisionFileError(
                path,
                line_of(path, "branch_labels"),
                f"label {label} is also in {self.paths[owner]}. Choose another label"
                " for one of the two.",
            )

        self.labels[label] = revision

    def _predecessors(self, path: str, header: Header) -> list[str]:
        """Return the ids of a revision's parents and dependencies."""
        parents: tuple[str, ...] = to_tuple(header.down_revision, default=())
        dependencies: tuple[str, ...] = to_tuple(header.depends_on, default=())

        for parent in parents:
            if parent not in self.paths:
                raise RevisionFileError(
                    path,
                    line_of(path, "down_revision"),
                    f"its parent {parent} is not in any revision file. Restore the file"
                    " of the parent, or correct 'down_revision'.",
                )

        for dependency in dependencies:
            if dependency not in self.paths and dependency not in self.labels:
                raise RevisionFileError(
                    path,
                    line_of(path, "depends_on"),
                    f"it depends on {dependency}, which is not a revision or a branch."
                    " Correct 'depends_on'.",
                )

        return [*parents, *(self.labels.get(name, name) for name in dependencies)]

    def _check_order(self, predecessors: c.Mapping[str, c.Collection[str]]) -> None:
        try:
            graphlib.TopologicalSorter(predecessors).prepare()
        except graphlib.CycleError as e:
            cycle: set[str] = {*e.args[1]}
        else:
            return

        path = self.paths[min(cycle)]
        header = self._headers[path]
        parents = to_tuple(header.down_revision, default=())
        key = "depends_on" if cycle.isdisjoint(parents) else "down_revision"

        if len(cycle) == 1:
            reason = f"revision {header.revision} refers to itself. Correct '{key}'."
        else:
            reason = (
                f"the revisions {', '.join(sorted(cycle))} form a cycle. Correct"
                " 'down_revision' or 'depends_on' in one of them."
            )

        raise RevisionFileError(path, line_of(path, key), reason)


def line_of(path: str | os.PathLike[str], name: str) -> int | None:
    """Return the number, from 1, of the line that assigns a variable, or ``None``."""
    with contextlib.suppress(OSError):
        lines = Path(path).read_text(errors="replace").splitlines()

        for number, line in enumerate(lines, 1):
            if re.match(rf"{name}\s*[:=]", line):
                return number

    return None
