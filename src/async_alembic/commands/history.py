"""Commands that walk the history, on Alembic's map of the revisions."""

from __future__ import annotations

import typing as t

from ..errors import RevisionError
from ..errors.from_alembic import converted_errors
from ..history.targets import as_argument
from ..history.targets import as_end
from ..history.targets import replace_current
from .inspect import current_ids

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..apps.project import Project
    from ..history.scripts import Scripts
    from ..history.targets import Target
    from ..migration.environment import Environment


@converted_errors()
def branches(project: Project) -> list[Script]:
    walked = project.scripts.walk_revisions()
    return [script for script in walked if script.is_branch_point]


@converted_errors()
def log(project: Project, start: Target, end: Target) -> list[Script]:
    return _log(project.scripts, start, end, ())


@converted_errors()
def log_from_current(env: Environment, start: Target, end: Target) -> list[Script]:
    return _log(env.scripts, start, end, current_ids(env))


@converted_errors()
def show(project: Project, revisions: Target) -> tuple[Script, ...]:
    return _show(project.scripts, revisions, ())


@converted_errors()
def show_current(env: Environment, revisions: Target) -> tuple[Script, ...]:
    return _show(env.scripts, revisions, current_ids(env))


@converted_errors()
def pending_after(env: Environment, current: tuple[str, ...]) -> tuple[Script, ...]:
    """Return the revisions that an upgrade would apply, in order.

    :param current: The ids of the revisions that the database is at.
    """
    newest_first = env.scripts.iterate_revisions("heads", current, implicit_base=True)
    return tuple(reversed(list(newest_first)))


def _log(
    scripts: Scripts, start: Target, end: Target, current: tuple[str, ...]
) -> list[Script]:
    walked = scripts.walk_revisions(
        # Despite its signature, it accepts several ids.
        as_argument(replace_current(start, current)),  # type: ignore[arg-type]
        as_end(replace_current(end, current)),  # type: ignore[arg-type]
    )
    return list(walked)


def _show(
    scripts: Scripts, revisions: Target, current: tuple[str, ...]
) -> tuple[Script, ...]:
    ids = replace_current(revisions, current)
    found = scripts.get_revisions(ids)

    if any(isinstance(script, str) for script in found):
        # Where Alembic arrives that walks too far.
        raise RevisionError(
            f"There are not that many revisions below the heads: {', '.join(ids)}."
            " 'db log' lists the revisions."
        )

    return found
