"""Commands that compare the databases with the revision files. At head, they do not
import Alembic.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

from sqlalchemy.exc import SQLAlchemyError

from ..errors import converted_database_errors
from ..errors import is_connection_lost
from ..results import DatabaseStatus
from .deferred import Deferred
from .waiting import check_known
from .waiting import Position

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script

    from ..apps.project import Project
    from ..migration.environment import Environment
    from ..results import State
    from .waiting import Found

T = t.TypeVar("T")


@converted_database_errors()
def current(env: Environment) -> tuple[Script, ...]:
    return tuple(map(env.project.history.script, current_ids(env)))


@converted_database_errors()
def current_by_database(env: Environment) -> dict[str, tuple[Script, ...]]:
    """Return the current revisions of each database, by its name."""
    script = env.project.history.script
    return {name: tuple(map(script, env.current(name))) for name in env.names}


@converted_database_errors()
def current_heads(env: Environment) -> dict[str, tuple[str, ...]]:
    """Return the ids that each database is at, whether or not the code has them."""
    return {name: env.current_heads(name) for name in env.names}


def current_ids(env: Environment) -> tuple[str, ...]:
    """Return the ids of the current revisions of all databases, without duplicates."""
    ids = (revision for name in env.names for revision in env.current(name))
    return tuple(dict.fromkeys(ids))


def heads(project: Project, resolve_dependencies: bool) -> tuple[Script, ...]:
    graph = project.files.graph
    ids = graph.real_heads if resolve_dependencies else graph.heads
    return tuple(map(project.history.script, ids))


def revisions(project: Project) -> tuple[Script, ...]:
    """Return all revisions, in the order of the files."""
    return tuple(map(project.history.script, project.files.graph.paths))


@converted_database_errors()
def needs_upgrade(env: Environment) -> bool:
    positions = {name: find_position(env, name) for name in env.names}
    check_known(positions)
    return any(position.state != "current" for position in positions.values())


@converted_database_errors()
def status_of_all(env: Environment) -> dict[str, DatabaseStatus]:
    return {name: _status_of(env, name) for name in env.names}


@converted_database_errors()
def detailed_status_of_all(env: Environment) -> dict[str, DatabaseStatus]:
    """Return the status of each database, and what keeps it from an upgrade."""
    find_obstacle = env.databases.offload(Deferred("obstacles", "find_obstacle").load)
    return {
        name: dataclasses.replace(status, **find_obstacle(env, name, status.current))
        for name, status in status_of_all(env).items()
    }


@converted_database_errors()
def positions_if_readable(
    env: Environment, empty: c.Container[str] = ()
) -> dict[str, Found]:
    """Return where each database is, or why it cannot be read for a while.

    :param empty: The names of the databases that had no revision when last read.
    """
    found: dict[str, Found] = {}

    for name in env.names:
        try:
            found[name] = find_position(env, name, is_missing=name in empty)
        except SQLAlchemyError as e:
            if env.is_blocked(name, e):
                found[name] = "locked"
            elif is_connection_lost(e) or env.is_unavailable(name, e):
                found[name] = "unreachable"
            else:
                raise

    return found


def use_context(
    env: Environment, name: str | None, fn: c.Callable[[MigrationContext], T]
) -> T:
    """Call a function with the migration context of a database."""
    name = name or env.default

    with env.use(name):
        return fn(env.contexts[name])


def find_position(env: Environment, name: str, *, is_missing: bool = False) -> Position:
    """Find where a database is in the history.

    :param name: The name of the database.
    :param is_missing: Whether the version table is probably missing.
    """
    current = env.current_heads(name, is_missing=is_missing)
    files = env.project.files
    graph = files.graph
    known = graph.paths.keys() & {*current}
    unknown = tuple(revision for revision in current if revision not in known)
    is_complete = graph.is_at_heads(known)
    state: State

    if unknown:
        state = "diverged" if known and not is_complete else "ahead"
    elif is_complete:
        state = "current"
    else:
        state = "behind" if current else "empty"

    return Position(state, current, unknown, is_complete, files.empty_folder)


def _status_of(env: Environment, name: str) -> DatabaseStatus:
    state, current, unknown, is_complete, _ = find_position(env, name)
    pending: tuple[Script, ...] = ()

    # Where an unknown revision is on top, what is below it is applied.
    if not is_complete and state != "ahead":
        known = tuple(revision for revision in current if revision not in unknown)
        pending_after = env.databases.offload(Deferred("history", "pending_after").load)
        pending = pending_after(env, known)

    heads = env.project.files.graph.heads
    return DatabaseStatus(state, current, unknown, heads, pending)
