"""Convert the targets that users give to the ids that Alembic accepts. Pure: reads no
files and no database.
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ..errors import RevisionError

if t.TYPE_CHECKING:
    from alembic.script import Script

Target: t.TypeAlias = "str | Script | c.Sequence[str | Script]"
StepTarget: t.TypeAlias = "int | Target"
#: A longer number is a misspelt id.
_count = re.compile(r"-?[1-9][0-9]{0,4}")


def to_ids(target: Target) -> list[str]:
    """Return the ids of a target.

    :param target: An id or a name such as ``"head"``, a script, or several of these.
    :raises RevisionError: If the target is empty, or of another type.
    """
    if isinstance(target, (str, int)):
        ids = [str(target)]
    elif isinstance(target, c.Sequence):
        ids = [revision for item in target for revision in to_ids(item)]
    elif hasattr(target, "revision"):
        ids = [target.revision]
    else:
        raise RevisionError(
            f"A target must be a revision id, a script or a list of these, not"
            f" {target!r}."
        )

    if not ids or not all(ids):
        raise RevisionError("The target is empty. Give a revision, or 'heads'.")

    return list(dict.fromkeys(ids))


def includes_current(*targets: Target) -> bool:
    """Whether a target is ``"current"``, so that the databases must be queried."""
    return any("current" in to_ids(target) for target in targets)


def replace_current(target: Target, current: c.Iterable[str]) -> list[str]:
    """Return the ids of a target, with ``"current"`` replaced.

    :param target: The user's target.
    :param current: The ids of the databases' current revisions.
    """
    replaced: list[str] = []

    for revision in to_ids(target):
        replaced += current if revision == "current" else [revision]

    return replaced


def to_steps(
    target: StepTarget, exists: c.Callable[[str], bool], sign: t.Literal[1, -1]
) -> list[str]:
    """Return the ids, or the relative step, of the target of an upgrade or downgrade.

    A number counts revisions from the current one. As in Flask-Alembic, a numeric
    string is an id if such a revision exists. It is never a number if it begins with a
    zero, as ids do that are numbered.

    :param target: The user's target.
    :param exists: Returns whether a revision exists, by its id.
    :param sign: The direction of a number without a sign: 1 is up, -1 is down.
    """
    if isinstance(target, int):
        return [f"{target * sign if target > 0 else target:+d}"]

    ids = to_ids(target)

    if len(ids) > 1 or not _count.fullmatch(ids[0]) or exists(ids[0]):
        return ids

    count = int(ids[0])
    return [f"{count * sign if count > 0 else count:+d}"]
