"""What a user may give as a target, as the ids that Alembic takes. Pure: no file and
no database is read here.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..errors import RevisionError

if t.TYPE_CHECKING:
    from alembic.script import Script

Target: t.TypeAlias = "str | Script | c.Sequence[str | Script]"
StepTarget: t.TypeAlias = "int | Target"


def to_ids(target: Target) -> list[str]:
    """The ids of a target.

    :param target: An id or a name such as ``"head"``, a script, or several of these.
    :raises RevisionError: If it is empty.
    """
    if isinstance(target, (str, int)):
        ids = [str(target)]
    elif isinstance(target, c.Sequence):
        ids = [revision for item in target for revision in to_ids(item)]
    else:
        ids = [target.revision]

    if not ids or not all(ids):
        raise RevisionError("The target is empty. Give a revision, or 'heads'.")

    return list(dict.fromkeys(ids))


def names_current(*targets: Target) -> bool:
    """Whether ``"current"`` is among the targets, so that databases must be asked."""
    return any("current" in to_ids(target) for target in targets)


def replace_current(target: Target, current: c.Iterable[str]) -> list[str]:
    """The ids of a target, with ``"current"`` replaced.

    :param target: What the user gave.
    :param current: The ids that the databases are at.
    """
    replaced: list[str] = []

    for revision in to_ids(target):
        replaced += current if revision == "current" else [revision]

    return replaced


def to_steps(
    target: StepTarget, exists: c.Callable[[str], bool], sign: t.Literal[1, -1]
) -> list[str]:
    """The ids of the target of an upgrade or a downgrade.

    A number counts revisions from where the database is, except that a number as text
    is an id if there is such a revision, as in Flask-Alembic.

    :param target: What the user gave.
    :param exists: Whether there is a revision with an id.
    :param sign: The direction of a number that has no sign: 1 is up, -1 is down.
    """
    if isinstance(target, int):
        return [f"{target * sign if target > 0 else target:+d}"]

    ids = to_ids(target)

    try:
        [count] = map(int, ids)
    except ValueError:
        return ids

    if exists(ids[0]):
        return ids

    explicit = ids[0].strip()[0] in "+-"
    return [f"{count if explicit else count * sign:+d}"]
