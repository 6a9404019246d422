"""A new revision: what it is called, and its place in the history."""

from __future__ import annotations

import dataclasses
import os
import typing as t
from pathlib import Path

from alembic.script import Script

from ..autogenerate.rename_questions import check_renames
from ..errors import ConfigurationError
from ..errors import MultipleHeadsError
from ..errors import RevisionError
from ..history.targets import to_ids
from .command_line import make_context

if t.TYPE_CHECKING:
    from alembic.autogenerate import RevisionContext

    from ..apps.project import Project
    from ..history.targets import Target


@dataclasses.dataclass(frozen=True)
class NewRevision:
    """The arguments of :meth:`async_alembic.Alembic.revision`."""

    message: str
    empty: bool
    branch: str
    parent: Target
    splice: bool
    depend: Target | None
    label: str | t.Iterable[str] | None
    path: str | None
    rev_id: str | None
    drop: frozenset[str] = frozenset()
    rename: tuple[str, ...] = ()
    against_history: bool = False

    def __post_init__(self) -> None:
        if self.empty and self.against_history:
            raise RevisionError(
                "An empty revision compares nothing. Leave out 'empty' or"
                " 'against_history'."
            )

        if self.empty and self.drop:
            raise RevisionError(
                "An empty revision drops no tables. Leave out 'empty' or 'drop'."
            )

        if self.empty and self.rename:
            raise RevisionError(
                "An empty revision renames nothing. Leave out 'empty' or 'rename'."
            )

        check_renames(self.rename)


def make_revision_context(project: Project, new: NewRevision) -> RevisionContext:
    """Return what Alembic needs to write a new revision.

    :raises RevisionError: If a parent is not found.
    """
    project.scripts.check_linear()
    check_template(project)
    parents, labels = _parents_and_labels(project, new)
    found = project.scripts.get_revisions(parents)

    if not all(isinstance(parent, Script) for parent in found):
        # Alembic does not resolve steps below the base to a revision.
        raise RevisionError(
            "There are fewer revisions than that below the heads. Name the parent"
            " revision, or 'base'."
        )

    return make_context(
        project,
        message=new.message,
        autogenerate=not new.empty,
        # Plugins use it as a key.
        head=parents[0] if len(parents) == 1 else tuple(parents),
        splice=new.splice,
        branch_label=labels or None,
        version_path=_version_path(project, new, found),
        rev_id=new.rev_id or unused_id(project),
        depends_on=to_ids(new.depend) if new.depend is not None else None,
    )


def check_template(project: Project) -> None:
    """
    :raises ConfigurationError: If there is no template, or one that would lose
        operations.
    """
    path = Path(project.scripts.dir, "script.py.mako")

    if not path.exists():
        raise ConfigurationError(
            f"The template '{path}' for new revisions does not exist. Run 'db mkdir' to"
            " create it."
        )

    several = project.config.get_main_option("databases") is not None

    if several and "engine_name" not in path.read_text(project.scripts.output_encoding):
        raise ConfigurationError(
            f"The template '{path}' is for one database, but there are several. Remove"
            " it, and run 'db mkdir' to create one for several databases."
        )


def _parents_and_labels(
    project: Project, new: NewRevision
) -> tuple[list[str], list[str]]:
    """Return the parents and the labels of a new revision."""
    scripts = project.scripts
    parents = to_ids(new.parent)
    labels = labels_of(new.label)

    if not new.branch:
        return parents, labels

    if scripts.has_branch(new.branch):
        named = {"base", "head", "heads"}
        return [f"{new.branch}@{p}" if p in named else p for p in parents], labels

    if new.branch == "default" and parents == ["head"]:
        # Continue a history without branches instead of forking it at its base.
        unlabelled = [head.revision for head in scripts.unlabelled_heads()]

        if len(unlabelled) > 1:
            raise MultipleHeadsError(unlabelled)

        if unlabelled:
            return unlabelled, labels

    if new.branch == "default" and not {*parents} <= {"base", "head"}:
        return parents, labels

    parents = [parent for parent in parents if parent not in {"base", "head"}]
    return parents or ["base"], [new.branch, *labels]


def _version_path(
    project: Project, new: NewRevision, parents: tuple[Script, ...]
) -> str:
    """Return the folder of a new revision: the given one, or that of its branch."""
    scripts, settings = project.scripts, project.settings

    if new.path:
        return settings.absolute(new.path)

    if new.branch in settings.branch_directories:
        return settings.branch_directories[new.branch]

    if parents:
        return scripts.location_of(parents[0])

    versions = os.path.join(scripts.dir, "versions")
    folders = {scripts.location_of(script) for script in scripts.walk_revisions()}

    if os.path.isdir(versions) and (not folders or versions in folders):
        return versions

    return scripts.dir


def labels_of(label: str | t.Iterable[str] | None) -> list[str]:
    """Return the labels of a new revision."""
    if label is None:
        return []

    return [label] if isinstance(label, str) else list(label)


def unused_id(project: Project) -> str:
    """Return an unused id, even within the same second as the last revision."""
    ids = project.files.ids()
    rev_id = project.rev_id()

    while rev_id in ids and rev_id.isdecimal():
        rev_id = str(int(rev_id) + 1)

    return rev_id
