"""Whether revisions make a history: what they follow is there, and in no circle."""

from __future__ import annotations

import collections.abc as c
import contextlib
import os
import re
import typing as t
from pathlib import Path

from alembic.util import to_tuple

from .errors import RevisionFileError

if t.TYPE_CHECKING:
    from alembic.script import Script


def check_references(scripts: c.Collection[Script]) -> None:
    """Check that what the revisions follow and depend on is there.

    :param scripts: All of the revisions.
    :raises RevisionFileError: If it is not.
    """
    ids = {script.revision for script in scripts}
    labels = {label for script in scripts for label in script.branch_labels}

    owners = {script.revision: script for script in scripts}

    for script in scripts:
        for label in own_labels(script):
            if owners.setdefault(label, script) is not script:
                raise RevisionFileError(
                    script.path,
                    line_of(script.path, "branch_labels"),
                    f"its label {label} is also in {owners[label].path}. Give one of"
                    " them another.",
                )

        for parent in to_tuple(script.down_revision, default=()):
            if parent not in ids:
                raise RevisionFileError(
                    script.path,
                    line_of(script.path, "down_revision"),
                    f"its parent {parent} is in no revision file. Restore that file, or"
                    " correct 'down_revision'.",
                )

        for dependency in to_tuple(script.dependencies, default=()):
            if dependency not in labels and not any(
                # Alembic takes partial ids here as well.
                revision.startswith(dependency)
                for revision in ids
            ):
                raise RevisionFileError(
                    script.path,
                    line_of(script.path, "depends_on"),
                    f"it depends on {dependency}, which is no revision and no branch."
                    " Correct 'depends_on'.",
                )


def own_labels(script: Script) -> tuple[str, ...]:
    """The branch labels that the file of a revision has."""
    # There's no public way: Alembic adds a label to all revisions of the branch.
    return script._orig_branch_labels


def cycle_error(scripts: c.Collection[Script]) -> RevisionFileError:
    """The error for revisions that follow each other in a circle.

    :param scripts: What Alembic could not put in order: the circle, and all that is
        before or behind it.
    """
    cycle = {script.revision: script for script in scripts}

    while True:
        parents = {
            revision: {
                *to_tuple(script.down_revision, default=()),
                *to_tuple(script.dependencies, default=()),
            }
            & cycle.keys()
            for revision, script in cycle.items()
        }
        followed = set().union(*parents.values())
        rest = {r: s for r, s in cycle.items() if parents[r] and r in followed}

        if not rest or len(rest) == len(cycle):
            break

        cycle = rest

    script = next(iter(cycle.values()))
    return RevisionFileError(
        script.path,
        line_of(script.path, "down_revision"),
        f"the revisions {', '.join(sorted(cycle))} follow each other in a circle."
        " Correct 'down_revision' or 'depends_on' in one of them.",
    )


def line_of(path: str | os.PathLike[str], name: str) -> int | None:
    """The line, counted from 1, in which a variable is assigned."""
    with contextlib.suppress(OSError):
        lines = Path(path).read_text(errors="replace").splitlines()

        for number, line in enumerate(lines, 1):
            if re.match(rf"{name}\s*[:=]", line):
                return number

    return None
