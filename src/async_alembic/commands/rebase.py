"""Puts the revisions of one branch of a repository on top of those of another."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t
from pathlib import Path

from ..errors import MultipleHeadsError
from ..errors import RevisionError
from ..errors.from_alembic import converted_errors
from ..history.git import Repository
from ..history.graph import RevisionGraph
from ..history.head_files import HeadFiles
from ..history.headers import Header
from ..history.replacing import replace_file
from ..history.rewriting import with_parents
from ..results import Rebase

if t.TYPE_CHECKING:
    from ..apps.project import Project

_NAME_BOTH = "Name them: 'db rebase MINE --onto THEIRS'."


@dataclasses.dataclass(frozen=True)
class Sides:
    """The two sides of a rebase.

    :param mine: The id of the head whose revisions are moved.
    :param theirs: The id of the head that they are put on top of.
    """

    mine: str
    theirs: str


@converted_errors()
def find_sides(
    project: Project, revision: str | None, onto: str | None
) -> Sides | None:
    """Return the heads to rebase; ``None`` if there is nothing to do.

    :param revision: A revision to move, if it is given.
    :param onto: The head to put it on top of, if it is given.
    """
    graph = project.files.graph
    mine = _head_above(project, revision) if revision else None
    theirs = _resolve(project, onto) if onto else None

    if theirs is not None and theirs not in graph.heads:
        raise RevisionError(
            f"Revision {theirs} is not a head, so another one would be left. The heads"
            f" are {', '.join(graph.heads)}."
        )

    if mine and theirs and mine != theirs:
        return Sides(mine, theirs)

    heads = _contested_heads(project)

    if len(heads) < 2:
        return None

    if len(heads) > 2:
        raise MultipleHeadsError(heads, f"Rebase one after another. {_NAME_BOTH}")

    theirs = theirs or next((h for h in heads if mine and h != mine), None)
    theirs = theirs or _choose_theirs(project, heads)
    mine = mine or next(head for head in heads if head != theirs)
    return Sides(mine, theirs)


@converted_errors()
def rebase(
    project: Project, sides: Sides, current: c.Mapping[str, c.Iterable[str]]
) -> Rebase:
    """Rewrite the revisions that have to have other parents, and the ``head`` files.

    :param sides: What :func:`find_sides` has found.
    :param current: The ids that the databases are at, as far as they can be reached.
    """
    graph, files = project.files.graph, project.files

    parents = _new_parents(graph, sides)
    _check_not_applied(graph, sides, current)
    headers = {path: parsed.header for path, parsed in files.parsed.items()}
    contents: dict[str, bytes] = {}

    for revision, new in parents.items():
        path = graph.paths[revision]
        _, _, labels, dependencies, doc = headers[path]
        headers[path] = Header(revision, new, labels, dependencies, doc)
        contents[path] = with_parents(path, Path(path).read_bytes(), new)

    # Built before anything is written, as it may not be valid.
    head_files = HeadFiles(files.folders, RevisionGraph(headers))

    for path, content in contents.items():
        replace_file(path, content)

    return Rebase(tuple(parents), sides.theirs, _write(project, head_files))


def write_head_files(project: Project) -> Rebase:
    """Correct the ``head`` files, where no revision has to be moved."""
    return Rebase(head_files=_write(project, project.scripts.head_files))


def _write(project: Project, head_files: HeadFiles) -> tuple[str, ...]:
    return tuple(head_files.write()) if project.scripts.is_linear else ()


def check_single_head(project: Project) -> None:
    project.scripts.check_linear()

    if len(heads := project.files.graph.heads) > 1:
        raise MultipleHeadsError(
            heads,
            "Put yours on top of the others with 'db rebase', or merge them with 'db"
            " merge'.",
        )


def _head_above(project: Project, revision: str) -> str:
    """Return the head that a revision leads to."""
    graph = project.files.graph
    found = _resolve(project, revision)
    heads = [head for head in graph.heads if found in graph.ancestors_of(head)]

    if len(heads) > 1:
        raise MultipleHeadsError(
            heads, f"All of them are on top of revision {found}. Name one."
        )

    return heads[0]


def _resolve(project: Project, name: str) -> str:
    """Return the id of a revision."""
    found = project.scripts.get_revisions(name)

    if len(found) != 1:
        raise RevisionError(f"'{name}' is not one revision. Give the id of one.")

    return found[0].revision


def _contested_heads(project: Project) -> tuple[str, ...]:
    """Return the heads that share a folder. Others are branches of their own."""
    graph, head_files = project.files.graph, project.scripts.head_files
    folders: dict[str, list[str]] = {}

    for head in graph.heads:
        folders.setdefault(head_files.folder_of(graph.paths[head]), []).append(head)

    several = (heads for heads in folders.values() if len(heads) > 1)
    return tuple(head for heads in several for head in heads)


def _choose_theirs(project: Project, heads: c.Sequence[str]) -> str:
    graph = project.files.graph
    by_path = {graph.paths[head]: head for head in heads}
    chosen = Repository(project.settings.script_location).choose(by_path)

    if chosen is None:
        raise RevisionError(
            f"Git does not tell which of the heads {' and '.join(heads)} is yours."
            f" {_NAME_BOTH}"
        )

    return by_path[chosen]


def _new_parents(graph: RevisionGraph, sides: Sides) -> dict[str, tuple[str, ...]]:
    """Return the new parents of the revisions that need other ones."""
    below = graph.ancestors_of(sides.theirs)
    mine = graph.ancestors_of(sides.mine) - below
    theirs = below - graph.ancestors_of(sides.mine)
    _check_movable(graph, mine, theirs, has_ancestor=theirs != below)
    changed: dict[str, tuple[str, ...]] = {}

    for revision in filter(mine.__contains__, graph.paths):
        parents = graph.parents_of(revision)
        is_first = mine.isdisjoint(parents) and (parents or theirs == below)
        # What comes before their head comes before all of mine on top of it.
        first = [sides.theirs] if is_first else []
        new = (*first, *(parent for parent in parents if parent not in below))

        if new != parents:
            changed[revision] = new

    return changed


def _check_movable(
    graph: RevisionGraph,
    mine: c.Set[str],
    theirs: c.Set[str],
    *,
    has_ancestor: bool,
) -> None:
    labelled = [r for r in (*mine, *theirs) if r in graph.labels.values()]

    if labelled and not has_ancestor:
        raise RevisionError(
            f"The heads have no common ancestor, and revision {min(labelled)} begins a"
            " branch of its own. Merge them with 'db merge' if they belong together."
        )

    for revision in sorted(theirs):
        if found := mine & graph.ancestors_of(revision, dependencies=True):
            raise RevisionError(
                f"Revision {revision}, which would come first, depends on"
                f" {', '.join(sorted(found))}, which would come after it. Nothing was"
                " changed. Merge them with 'db merge'."
            )


def _check_not_applied(
    graph: RevisionGraph, sides: Sides, current: c.Mapping[str, c.Iterable[str]]
) -> None:
    below = graph.ancestors_of(sides.theirs)
    mine = graph.ancestors_of(sides.mine) - below

    for name, ids in current.items():
        known = [revision for revision in ids if revision in graph.paths]
        applied = mine & graph.ancestors_of(*known)

        if applied:
            first = next(r for r in applied if applied.isdisjoint(graph.parents_of(r)))
            parents = graph.parents_of(first) or ("base",)
            raise RevisionError(
                f"Database '{name}' has applied revision {first}, which would come"
                f" after {sides.theirs}. Nothing was changed. Downgrade it first: 'db"
                f" downgrade {first}@{parents[0]}'."
            )
