"""Alembic's script of a revision, loaded when more is asked of it than headers say."""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from .headers import as_tuple
from .same_revision import SameRevision

if t.TYPE_CHECKING:
    from alembic.script import Script

    from .graph import RevisionGraph


class LazyScript(SameRevision):
    """Stands for an :class:`alembic.script.Script`, and is an instance of it. What a
    list of revisions shows is known from the headers. Anything else loads Alembic's
    script.

    :param graph: The graph of the revisions.
    :param revision: The id of the revision.
    :param load: Loads Alembic's script.
    """

    def __init__(
        self, graph: RevisionGraph, revision: str, load: c.Callable[[], Script]
    ) -> None:
        self._graph = graph
        self._header = graph.header_of(revision)
        self._load = load
        self.revision: str = revision
        self.path: str = graph.paths[revision]

    @property  # type: ignore[misc]
    def __class__(self) -> type[Script]:  # type: ignore[override]
        from .revision_file import RevisionFile

        return RevisionFile

    def __getattr__(self, name: str) -> t.Any:
        if name.startswith("__"):
            raise AttributeError(name)

        return getattr(self._load(), name)

    def __repr__(self) -> str:
        # asyncio asks for it when a task is done.
        return f"Script({self.revision!r}, {self.down_revision!r})"

    def __str__(self) -> str:
        text = f"{self._listed_parents()} -> {self.revision}"
        return f"{text}{self._head()}{self._points()}, {self.doc}"

    @property
    def down_revision(self) -> str | tuple[str, ...] | None:
        """The id or ids of the parents."""
        return _as_scalar(as_tuple(self._header.down_revision))

    @property
    def dependencies(self) -> str | tuple[str, ...] | None:
        """The id or ids of the dependencies."""
        return _as_scalar(as_tuple(self._header.depends_on))

    @property
    def branch_labels(self) -> set[str]:
        """The labels of the branches that the revision belongs to."""
        return set(self._graph.labels_of(self.revision))

    @property
    def nextrev(self) -> frozenset[str]:
        """The ids of the children."""
        return self._graph.children_of(self.revision)

    @property
    def is_head(self) -> bool:
        """Whether the revision has no child."""
        return self.revision in self._graph.heads

    @property
    def is_base(self) -> bool:
        """Whether the revision has no parent."""
        return not self._header.down_revision

    @property
    def is_branch_point(self) -> bool:
        """Whether the revision has several children."""
        return len(self.nextrev) > 1

    @property
    def is_merge_point(self) -> bool:
        """Whether the revision has several parents."""
        return len(as_tuple(self._header.down_revision)) > 1

    @property
    def doc(self) -> str:
        """The message."""
        return re.split("\n\n", self.longdoc)[0]

    @property
    def longdoc(self) -> str:
        """The docstring of the file."""
        return (self._header.doc or "").strip()

    @property
    def log_entry(self) -> str:
        """Describe the revision in several lines, as Alembic's commands do."""
        merges = "Merges" if self.is_merge_point else "Parent"
        lines = [
            f"Rev: {self.revision}{self._head()}{self._points()}",
            f"{merges}: {self._listed_parents()}",
        ]

        if dependencies := _listed(as_tuple(self._header.depends_on)):
            lines.append(f"Also depends on: {dependencies}")

        if self.is_branch_point:
            lines.append(f"Branches into: {_listed(sorted(self.nextrev))}")

        if labels := _listed(sorted(self.branch_labels)):
            lines.append(f"Branch names: {labels}")

        lines += [f"Path: {self.path}", ""]
        lines += [f"    {line}" for line in self.longdoc.splitlines()]
        return "\n".join([*lines, ""])

    def cmd_format(
        self,
        verbose: bool,
        include_branches: bool = False,
        include_doc: bool = False,
        include_parents: bool = False,
        tree_indicators: bool = True,
    ) -> str:
        """Describe the revision in the format of Alembic's commands."""
        if verbose:
            return self.log_entry

        text = self.revision

        if include_parents:
            dependencies = _listed(as_tuple(self._header.depends_on))
            depends = f" ({dependencies})" if dependencies else ""
            text = f"{self._listed_parents()}{depends} -> {text}"

        if include_branches and (labels := _listed(sorted(self.branch_labels))):
            text += f" ({labels})"

        if self.revision in self._graph.real_heads:
            text += " (head)"
        elif self.is_head:
            text += " (effective head)"

        text += self._points() if tree_indicators else ""
        return text + (f", {self.doc}" if include_doc else "")

    def _head(self) -> str:
        return " (head)" if self.is_head else ""

    def _points(self) -> str:
        branch = " (branchpoint)" if self.is_branch_point else ""
        return branch + (" (mergepoint)" if self.is_merge_point else "")

    def _listed_parents(self) -> str:
        return _listed(as_tuple(self._header.down_revision)) or "<base>"


def _as_scalar(ids: tuple[str, ...]) -> str | tuple[str, ...] | None:
    """Return ids as Alembic does: one as a string, and none as ``None``."""
    return ids if len(ids) > 1 else ids[0] if ids else None


def _listed(ids: t.Iterable[str]) -> str:
    return ", ".join(ids)
