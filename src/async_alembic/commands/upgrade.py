"""The upgrade. If nothing is to be done, Alembic is not imported."""

from __future__ import annotations

import typing as t

from sqlalchemy.exc import SQLAlchemyError

from ..errors import converted_database_errors
from ..history.targets import to_ids
from .deferred import Deferred

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..history.graph import RevisionGraph
    from ..history.targets import StepTarget
    from ..migration.environment import Environment


#: The ids of the revisions that each database is at, by name; ``None`` if it is
#: locked, probably by another migrator.
FoundHeads: t.TypeAlias = dict[str, tuple[str, ...] | None]


def upgrade(
    env: Environment,
    target: StepTarget,
    *,
    retry: bool = False,
    resume: bool = False,
    at: tuple[str, ...] | None = None,
) -> list[Script]:
    """Upgrade databases.

    :param at: The ids of the revisions that the only database was at, if they were read
        before.
    """
    found = find_heads(env) if at is None else _known_heads(env, at)

    if all(is_at(env.project.files.graph, target, heads) for heads in found.values()):
        return []

    migrate = Deferred("migrate", "upgrade_from")

    if not migrate.is_loaded:
        for name in env.names:
            # The import takes a while, which must not be spent in a transaction.
            env.end_transaction(name)

        env.databases.offload(migrate.load)

    return t.cast("list[Script]", migrate(env, target, found, retry, resume))


def _known_heads(env: Environment, at: tuple[str, ...]) -> FoundHeads:
    [name] = env.names
    env.check_known(name, at)
    return {name: at}


@converted_database_errors()
def find_heads(env: Environment) -> FoundHeads:
    found: FoundHeads = {}

    for name in env.names:
        try:
            found[name] = env.current(name)
        except SQLAlchemyError as e:
            if not env.is_blocked(name, e):
                raise

            found[name] = None

    return found


def is_at(
    graph: RevisionGraph, target: StepTarget, heads: tuple[str, ...] | None
) -> bool:
    """Return whether the target of an upgrade is where a database is. False if that is
    not certain without Alembic.
    """
    if heads is None or isinstance(target, int):
        return False

    ids = to_ids(target)

    if ids == ["heads"] or ids == ["head"] and len(graph.heads) == 1:
        return graph.is_at_heads(heads)

    return {*ids} == {*heads}
