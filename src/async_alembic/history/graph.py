"""The graph of the revisions, built from the headers of all files: checks the history
and finds its heads. Alembic's own map takes longer to build than reading the files.

The terms are those of Alembic: a *real* head has no child and no dependent revision.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import graphlib
import os
import re
import typing as t
from pathlib import Path

from ..errors import RevisionFileError
from .headers import as_tuple

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
            if header.branch_labels:
                for label in as_tuple(header.branch_labels):
                    self._add_label(path, header.revision, label)

        self._parents = {
            header.revision: as_tuple(header.down_revision)
            for header in headers.values()
        }
        #: The ids of each revision's parents and dependencies.
        self._predecessors = {
            header.revision: self._find_predecessors(path, header)
            for path, header in headers.items()
        }
        self._check_order()
        #: The ids of the revisions without a child, in the order of the files.
        self.heads: tuple[str, ...] = self._without(self._parents.values())
        #: The ids of the revisions without a child and without a dependent revision.
        self.real_heads: tuple[str, ...] = self._without(self._predecessors.values())

    def _without(self, successors: c.Iterable[c.Iterable[str]]) -> tuple[str, ...]:
        left_out = set[str]().union(*successors)
        return tuple(revision for revision in self.paths if revision not in left_out)

    def is_at_heads(self, current: c.Collection[str]) -> bool:
        """Return whether a database has all revisions.

        :param current: The ids of the revisions that it is at.
        """
        return {*current} == {*self.real_heads}

    def header_of(self, revision: str) -> Header:
        """Return the header of a revision."""
        return self._headers[self.paths[revision]]

    def parents_of(self, revision: str) -> tuple[str, ...]:
        """Return the ids of the parents of a revision."""
        return self._parents[revision]

    def predecessors_of(self, revision: str) -> tuple[str, ...]:
        """Return the ids of the parents and the dependencies of a revision."""
        return self._predecessors[revision]

    def ancestors_of(
        self, *revisions: str, dependencies: bool = False
    ) -> frozenset[str]:
        """Return the ids of revisions and of all their ancestors.

        :param dependencies: Whether to follow dependencies, too.
        """
        before = self._predecessors if dependencies else self._parents
        found = {*revisions}
        todo = [*found]

        while todo:
            new = {*before[todo.pop()]} - found
            found |= new
            todo += new

        return frozenset(found)

    def children_of(self, revision: str) -> frozenset[str]:
        """Return the ids of the children of a revision."""
        return frozenset(self._children.get(revision, ()))

    def labels_of(self, revision: str) -> frozenset[str]:
        """Return the labels of the branches that a revision belongs to."""
        return frozenset(self._labels.get(revision, ()))

    @functools.cached_property
    def _children(self) -> dict[str, set[str]]:
        return _inverted(self._parents.items())

    @functools.cached_property
    def _successors(self) -> dict[str, set[str]]:
        return _inverted(self._predecessors.items())

    @functools.cached_property
    def _labels(self) -> dict[str, set[str]]:
        """The labels by revision. As in Alembic, a label belongs to all descendants of
        the revision that carries it. If these are in one line, the label also belongs
        to its ancestors, up to where the history branches or merges.
        """
        labels: dict[str, set[str]] = {}

        for label, revision in self.labels.items():
            members = self._descendants(revision)

            if not any(map(self._is_fork, members)):
                parents = self.parents_of(revision)

                while parents and not self._is_fork(parents[0]):
                    members.add(parents[0])
                    parents = self.parents_of(parents[0])

            for member in members:
                labels.setdefault(member, set()).add(label)

        return labels

    def _descendants(self, revision: str) -> set[str]:
        """Return a revision and its descendants."""
        found = {revision}
        todo = [revision]

        while todo:
            new = self._children.get(todo.pop(), set()) - found
            found |= new
            todo += new

        return found

    def _is_fork(self, revision: str) -> bool:
        """Whether the history branches or merges at a revision."""
        successors = self._successors.get(revision, ())
        return len(successors) > 1 or len(self.parents_of(revision)) > 1

    def _add(self, path: str, revision: str) -> None:
        if (other := self.paths.setdefault(revision, path)) != path:
            raise RevisionFileError(
                path,
                line_of(path, "revision"),
                f"revision {revision} is also in {other}."
                f" {_advice_for_two(path, other)}",
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

    def _find_predecessors(self, path: str, header: Header) -> tuple[str, ...]:
        """Return the ids of a revision's parents and dependencies."""
        parents = self._parents[header.revision]

        for parent in parents:
            if parent not in self.paths:
                raise RevisionFileError(
                    path,
                    line_of(path, "down_revision"),
                    f"its parent {parent} is not in any revision file. Restore the file"
                    " of the parent, or correct 'down_revision'.",
                )

        if not header.depends_on:
            return parents

        dependencies = as_tuple(header.depends_on)

        for dependency in dependencies:
            if dependency not in self.paths and dependency not in self.labels:
                raise RevisionFileError(
                    path,
                    line_of(path, "depends_on"),
                    f"it depends on {dependency}, which is not a revision or a branch."
                    " Correct 'depends_on'.",
                )

        return (*parents, *(self.labels.get(name, name) for name in dependencies))

    def _check_order(self) -> None:
        try:
            graphlib.TopologicalSorter(self._predecessors).prepare()
        except graphlib.CycleError as e:
            cycle: set[str] = {*e.args[1]}
        else:
            return

        path = self.paths[min(cycle)]
        header = self._headers[path]
        parents = as_tuple(header.down_revision)
        key = "depends_on" if cycle.isdisjoint(parents) else "down_revision"

        if len(cycle) == 1:
            reason = f"revision {header.revision} refers to itself. Correct '{key}'."
        else:
            reason = (
                f"the revisions {', '.join(sorted(cycle))} form a cycle. Correct"
                " 'down_revision' or 'depends_on' in one of them."
            )

        raise RevisionFileError(path, line_of(path, key), reason)


def _advice_for_two(*paths: str) -> str:
    from .squashed import read_mark

    for path in paths:
        if replaced := read_mark(path):
            return (
                f"A squash was interrupted after {path} was written: remove the other"
                f" files of the revisions {', '.join(replaced)}."
            )

    return "Choose another id for one of the two."


def _inverted(
    relations: c.Iterable[tuple[str, c.Iterable[str]]],
) -> dict[str, set[str]]:
    inverted: dict[str, set[str]] = {}

    for one, others in relations:
        for other in others:
            inverted.setdefault(other, set()).add(one)

    return inverted


def line_of(path: str | os.PathLike[str], name: str) -> int | None:
    """Return the number, from 1, of the line that assigns a variable, or ``None``."""
    with contextlib.suppress(OSError):
        for number, line in enumerate(Path(path).read_bytes().splitlines(), 1):
            if re.match(rb"%b\s*[:=]" % name.encode(), line):
                return number

    return None
