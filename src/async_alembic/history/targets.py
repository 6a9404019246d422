"""Convert the targets that users give to the ids that Alembic accepts. Pure: reads no
files and no database.
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ..errors import RevisionError
from ..errors import RevisionNotFoundError
from ..errors.revisions import RELATIVE

if t.TYPE_CHECKING:
    from alembic.script import Script

Target: t.TypeAlias = "str | Script | c.Sequence[str | Script]"
StepTarget: t.TypeAlias = "int | Target"
#: A longer number is a misspelt id.
_COUNT = r"-?[1-9][0-9]{0,4}"
#: A number of steps down from the heads, of a branch or of all.
_below_heads = re.compile(r"(.+@)?-[0-9]+")


def to_ids(target: StepTarget) -> list[str]:
    """Return the ids of a target.

    :param target: An id or a name such as ``"head"``, a script, several of these, or a
        number of steps.
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


def to_names(target: StepTarget) -> list[str]:
    """Return the ids of a target that must name revisions, without counting steps.

    :raises RevisionNotFoundError: If it counts.
    """
    ids = to_ids(target)

    for revision in filter(RELATIVE.fullmatch, ids):
        raise RevisionNotFoundError(revision)

    return ids


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
    :raises RevisionError: If the sign of a number is that of the other direction.
    """
    ids = to_ids(target)

    if isinstance(target, int) or (
        len(ids) == 1 and re.fullmatch(_COUNT, ids[0]) and not exists(ids[0])
    ):
        count = int(ids[0])
        ids = [f"{count * sign if count > 0 else count:+d}"]

    _check_direction(ids[0], sign)
    return ids


def as_argument(ids: list[str]) -> str | list[str]:
    """Return ids as an argument for Alembic: only a single one may be relative."""
    return ids[0] if len(ids) == 1 else ids


def as_end(ids: list[str]) -> str | list[str]:
    """Return the ids of the end of a range as an argument for Alembic, which counts
    down from the heads only in a list.
    """
    return ids if any(map(_below_heads.fullmatch, ids)) else as_argument(ids)


def _check_direction(step: str, sign: t.Literal[1, -1]) -> None:
    if sign > 0 and re.fullmatch(r"-[0-9]+", step):
        raise RevisionError(
            f"An upgrade goes up, and '{step}' goes down. Run 'db downgrade {step}' to"
            " revert revisions."
        )

    if sign < 0 and re.fullmatch(r"\+[1-9][0-9]*", step):
        raise RevisionError(
            f"A downgrade goes down, and '{step}' goes up. Run 'db upgrade {step}' to"
            " apply revisions."
        )
