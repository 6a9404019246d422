"""Commands that read the revision files and the state of the databases."""

from __future__ import annotations

import collections.abc as c
import typing as t

from sqlalchemy.exc import SQLAlchemyError

from ..errors import is_connection_lost
from ..errors.from_alembic import converted_errors
from ..history.targets import replace_current
from ..migration.retries import is_blocked
from ..migration.retries import is_unavailable
from ..results import DatabaseStatus
from .waiting import check_known

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script

    from ..apps.project import Project
    from ..history.scripts import Scripts
    from ..history.targets import Target
    from ..migration.environment import Environment
    from ..results import State
    from .waiting import Found

T = t.TypeVar("T")


@converted_errors()
def current(env: Environment) -> tuple[Script, ...]:
    return env.scripts.get_revisions(current_ids(env))


def current_ids(env: Environment) -> tuple[str, ...]:
    """Return the ids of the current revisions of all databases, without duplicates."""
    ids = (revision for name in env.contexts for revision in env.current(name))
    return tuple(dict.fromkeys(ids))


@converted_errors()
def heads(project: Project, resolve_dependencies: bool) -> tuple[Script, ...]:
    scripts = project.scripts

    if resolve_dependencies:
        return scripts.get_revisions("heads")

    return scripts.get_revisions(scripts.get_heads())


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
def needs_upgrade(env: Environment) -> bool:
    statuses = status_of_all(env)
    check_known(statuses)
    return any(status.state != "current" for status in statuses.values())


@converted_errors()
def status_of_all(env: Environment) -> dict[str, DatabaseStatus]:
    return {name: _status_of(env, name) for name in env.contexts}


@converted_errors()
def status_if_readable(env: Environment) -> dict[str, Found]:
    """Return the status of each database, or why it cannot be read for a while."""
    statuses: dict[str, Found] = {}

    for name in env.contexts:
        try:
            statuses[name] = _status_of(env, name)
        except SQLAlchemyError as e:
            if is_blocked(env, name, e):
                statuses[name] = "locked"
            elif is_connection_lost(e) or is_unavailable(env, name, e):
                statuses[name] = "unreachable"
            else:
                raise

    return statuses


def use_context(
    env: Environment, name: str | None, fn: c.Callable[[MigrationContext], T]
) -> T:
    """Call a function with the migration context of a database."""
    name = name or env.default

    with env.use(name):
        return fn(env.contexts[name])


def _status_of(env: Environment, name: str) -> DatabaseStatus:
    scripts, current = env.scripts, env.current_heads(name)
    ids = scripts.ids()
    known = tuple(revision for revision in current if revision in ids)
    unknown = tuple(revision for revision in current if revision not in ids)
    newest_first = scripts.iterate_revisions("heads", known, implicit_base=True)
    pending = tuple(reversed(list(newest_first)))
    state: State

    if unknown:
        state = "diverged" if known and pending else "ahead"
    elif not pending:
        state = "current"
    else:
        state = "behind" if current else "empty"

    return DatabaseStatus(state, current, unknown, tuple(scripts.get_heads()), pending)


def _log(
    scripts: Scripts, start: Target, end: Target, current: tuple[str, ...]
) -> list[Script]:
    walked = scripts.walk_revisions(
        # Despite its signature, it accepts several ids.
        replace_current(start, current),  # type: ignore[arg-type]
        replace_current(end, current),  # type: ignore[arg-type]
    )
    return list(walked)


def _show(
    scripts: Scripts, revisions: Target, current: tuple[str, ...]
) -> tuple[Script, ...]:
    return scripts.get_revisions(replace_current(revisions, current))
