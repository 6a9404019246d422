"""Commands that change a database along the history of its revisions."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import time
import typing as t

from ..errors import MigrationError
from ..errors import MultipleHeadsError
from ..errors import RevisionError
from ..errors import RevisionNotFoundError
from ..revisions import to_ids
from ..revisions import to_steps
from ..translation import translated_errors

if t.TYPE_CHECKING:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep
    from alembic.script import Script

    from ..environment import Environment
    from ..environment import Steps
    from ..revisions import StepTarget
    from ..revisions import Target

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Progress:
    """A revision that is being applied, or was.

    :param database: The name of the database.
    :param several: Whether there are other databases.
    :param script: The revision.
    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param seconds: How long it took, or ``None`` when it begins.
    """

    database: str
    several: bool
    script: Script
    direction: str
    seconds: float | None = None


Report: t.TypeAlias = c.Callable[[Progress], None]


@translated_errors()
def upgrade(
    env: Environment, target: StepTarget, report: Report | None = None
) -> list[Script]:
    ids = to_steps(target, env.scripts.has, 1)

    def steps(heads: t.Any, context: MigrationContext) -> c.Iterable[RevisionStep]:
        # Despite its signature, several ids may be given, but not relative ones.
        destination = ids[0] if len(ids) == 1 else ids
        return env.scripts._upgrade_revs(destination, heads)  # type: ignore[arg-type]

    return _migrate(env, "upgrade", ids, steps, report)


@translated_errors()
def downgrade(
    env: Environment, target: StepTarget, report: Report | None = None
) -> list[Script]:
    ids = to_steps(target, env.scripts.has, -1)

    if len(ids) > 1:
        raise RevisionError(
            f"A downgrade takes one target, not {', '.join(ids)}. Go down to each of"
            " them, as 'branch@revision'."
        )

    branch, at, _ = ids[0].rpartition("@")

    if at and not (env.scripts.has(branch) or env.scripts.has_branch(branch)):
        # Alembic would take everything back.
        raise RevisionNotFoundError(branch)

    def steps(heads: t.Any, context: MigrationContext) -> c.Iterable[RevisionStep]:
        if ids[0][0] in "+-" and len(heads) > 1:
            # Alembic warns, and takes any one of them back.
            raise MultipleHeadsError(heads)

        return env.scripts._downgrade_revs(ids[0], heads)

    return _migrate(env, "downgrade", ids, steps, report)


@translated_errors()
def stamp(env: Environment, target: Target, purge: bool) -> None:
    ids = to_ids(target)

    def steps(heads: t.Any, context: MigrationContext) -> c.Iterable[RevisionStep]:
        return env.scripts._stamp_revs(ids, heads)  # type: ignore[return-value]

    for context in env.contexts.values():
        context.purge = purge

    if not purge:
        _check_known(env)

    run_migrations(env, steps)


@translated_errors()
def run_migrations(env: Environment, /, fn: Steps, **kwargs: t.Any) -> None:
    with env.migrating():
        for name in env.contexts:
            env.run_steps(name, fn, **kwargs)


def run(env: Environment, fn: c.Callable[[Environment], T]) -> T:
    with env.migrating(single=True), env.isolated(env.default):
        result = fn(env)
        env.keep_what_was_committed()
        return result


def use_op(env: Environment, name: str | None, fn: c.Callable[[Operations], T]) -> T:
    """Call a function with the operations of a database, in a transaction."""
    return run(env, lambda env: fn(env.ops[name or env.default]))


def _migrate(
    env: Environment,
    direction: str,
    target: list[str],
    plan: Steps,
    report: Report | None,
) -> list[Script]:
    _check_known(env)
    applied: dict[str, Script] = {}

    if target == ["+0"]:
        return []

    with env.migrating():
        for name, environment_context in env.environment_contexts.items():
            environment_context.context_opts["destination_rev"] = target[0]

            for script in _migrate_one(env, name, direction, plan, report):
                applied[script.revision] = script

    return list(applied.values())


def _migrate_one(
    env: Environment,
    name: str,
    direction: str,
    plan: Steps,
    report: Report | None,
) -> list[Script]:
    applied: list[Script] = []
    running: Script | None = None

    def steps(heads: t.Any, context: MigrationContext) -> c.Iterator[RevisionStep]:
        nonlocal running

        for step in plan(heads, context) or ():
            running = script = t.cast("t.Any", step).revision
            progress = Progress(name, len(env.contexts) > 1, script, direction)
            started = time.perf_counter()

            if report is not None:
                report(progress)

            yield step
            seconds = time.perf_counter() - started

            if report is not None:
                report(dataclasses.replace(progress, seconds=seconds))

            applied.append(script)
            running = None

    try:
        env.run_steps(name, steps)
    except Exception as e:
        if running is None:
            raise

        raise MigrationError(direction, name, running.revision, running.path, e) from e

    return applied


def _check_known(env: Environment) -> None:
    for name in env.contexts:
        env.current(name)
