"""Commands that migrate databases along the revision history."""

from __future__ import annotations

import collections.abc as c
import inspect
import typing as t

from ..errors import ConfigurationError
from ..errors import MultipleHeadsError
from ..errors import RevisionError
from ..errors import RevisionNotFoundError
from ..errors.from_alembic import converted_errors
from ..errors.revisions import RELATIVE
from ..history.targets import as_argument
from ..history.targets import to_names
from ..history.targets import to_steps
from ..migration import half_applied
from ..migration.events import CallEvents
from ..migration.retries import migrate_exclusively
from ..migration.revisions import RevisionRunner
from ..migration.steps import list_steps
from ..migration.steps import StepRunner
from ..migration.steps import with_known_check
from ..migration.transactions import begin_transactions
from .upgrade import find_heads

if t.TYPE_CHECKING:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep
    from alembic.script import Script

    from ..apps.project import Project
    from ..history.targets import StepTarget
    from ..history.targets import Target
    from ..migration.environment import Environment
    from ..migration.environment import Steps
    from ..migration.transactions import Transactions
    from .upgrade import FoundHeads

T = t.TypeVar("T")


class Route(t.NamedTuple):
    """The way to a target.

    :param ids: The target, as ids of revisions or numbers of steps.
    :param steps: Returns the steps to the target.
    """

    ids: list[str]
    steps: Steps


def upgrade_from(
    env: Environment,
    target: StepTarget,
    found: FoundHeads,
    retry: bool,
    resume: bool,
) -> list[Script]:
    """Upgrade databases.

    :param found: What :func:`.find_heads` has found.
    """
    way = half_applied.Way.of(retry, resume)
    events = CallEvents(env, "upgrade")

    with events.failure_sent(), converted_errors():
        return _migrate(env, _plan_upgrade(env, target), found, way, events)


@converted_errors()
def check_target(
    project: Project, target: StepTarget, sign: t.Literal[1, -1] | None
) -> None:
    """Check that the revisions exist that a target names, without a database.

    :param sign: The direction of a number of steps; ``None`` if it cannot be one.
    :raises RevisionError: If one does not exist.
    """
    ids = to_steps(target, project.scripts.has, sign) if sign else to_names(target)
    project.scripts.get_revisions([id for id in ids if not RELATIVE.fullmatch(id)])


def _plan_upgrade(env: Environment, target: StepTarget) -> Route:
    env.databases.offload(lambda: env.project.scripts.check_linear())
    # Called for numbers only, so that "heads" does not load the revision map.
    ids = to_steps(target, lambda revision: env.scripts.has(revision), 1)

    return Route(ids, plan_upgrade(env, ids))


def plan_upgrade(env: Environment, ids: list[str]) -> Steps:
    """Return the steps of an upgrade to these revisions."""

    def plan(heads: t.Any, context: MigrationContext) -> c.Iterable[RevisionStep]:
        if ids == ["heads"] and env.project.files.graph.is_at_heads(heads):
            return ()

        # Despite its signature, it accepts several ids, but no relative ones.
        destination = as_argument(ids)
        return env.project.scripts._upgrade_revs(destination, heads)  # type: ignore[arg-type]

    return plan


def downgrade(
    env: Environment,
    target: StepTarget,
    *,
    retry: bool = False,
    resume: bool = False,
) -> list[Script]:
    way = half_applied.Way.of(retry, resume)
    events = CallEvents(env, "downgrade")

    with events.failure_sent(), converted_errors():
        return _migrate(env, _plan_downgrade(env, target), find_heads(env), way, events)


def _plan_downgrade(env: Environment, target: StepTarget) -> Route:
    ids = to_steps(target, env.scripts.has, -1)

    if len(ids) > 1:
        raise RevisionError(
            f"A downgrade takes one target, not {', '.join(ids)}. Use one downgrade for"
            " each, to 'branch@revision'."
        )

    branch, at, _ = ids[0].rpartition("@")

    if at and not (env.scripts.has(branch) or env.scripts.has_branch(branch)):
        # Alembic would downgrade everything.
        raise RevisionNotFoundError(branch)

    def plan(heads: t.Any, context: MigrationContext) -> c.Iterable[RevisionStep]:
        if ids[0][0] in "+-":
            _check_single_head(env, context, heads, ids[0])

        return env.project.scripts._downgrade_revs(ids[0], heads)

    return Route(ids, plan)


def _check_single_head(
    env: Environment, context: MigrationContext, heads: c.Sequence[str], step: str
) -> None:
    """Check that a number of steps has one revision to start from."""
    if not heads:
        [name] = [name for name in env.names if env.contexts[name] is context]
        raise RevisionError(
            f"Database '{name}' is at base: there is no revision to revert. 'db"
            " upgrade' applies revisions."
        )

    if len(heads) > 1:
        # Alembic warns, and downgrades an arbitrary one.
        advice = (
            f"Name a branch by one of them or its label, as in '{heads[0]}@{step}'."
        )
        raise MultipleHeadsError(heads, advice)


@converted_errors()
def stamp(env: Environment, target: Target, purge: bool) -> None:
    plan = plan_stamp(env, to_names(target))

    for context in env.contexts.values():
        context.purge = purge

    pending = env.names if purge else _find_pending(env, find_heads(env), plan)
    names = [n for n in env.names if n in pending or half_applied.has_record(env, n)]

    def work(transactions: Transactions) -> None:
        for name in names:
            StepRunner(env, name).run(transactions, with_known_check(env, name, plan))
            half_applied.clear(env, name)

    migrate_exclusively(env, names, work)


def plan_stamp(env: Environment, ids: list[str]) -> Steps:
    """Return the steps that only write these revisions into the version table."""

    def plan(heads: t.Any, context: MigrationContext) -> c.Iterable[RevisionStep]:
        return env.project.scripts._stamp_revs(ids, heads)  # type: ignore[return-value]

    return plan


@converted_errors()
def run_migrations(env: Environment, /, fn: Steps, **kwargs: t.Any) -> None:
    def work(transactions: Transactions) -> None:
        for name in env.names:
            StepRunner(env, name).run(transactions, fn, **kwargs)

    migrate_exclusively(env, env.names, work)


def run(env: Environment, fn: c.Callable[[Environment], T]) -> T:
    env.load()
    names = env.names

    with (
        begin_transactions(env, names, single=True) as transactions,
        env.use(env.default),
    ):
        result = fn(env)

        if inspect.iscoroutine(result):
            result.close()
            raise ConfigurationError(
                "run() was given a coroutine function, which would not run. Pass a"
                " function that is defined with 'def'."
            )

        for name in names:
            transactions.reopen(name)

        return result


def use_op(env: Environment, name: str | None, fn: c.Callable[[Operations], T]) -> T:
    """Call a function with the operations of a database, in a transaction."""
    return run(env, lambda env: fn(env.ops[name or env.default]))


def _migrate(
    env: Environment,
    route: Route,
    found: FoundHeads,
    way: half_applied.Way,
    events: CallEvents,
) -> list[Script]:
    nothing: Steps = lambda heads, context: ()  # noqa: E731
    names = _find_pending(env, found, nothing if route.ids == ["+0"] else route.steps)
    runners = [RevisionRunner(env, name, way, events) for name in names]

    def work(transactions: Transactions) -> None:
        for runner in runners:
            environment_context = env.environment_contexts[runner.name]
            environment_context.context_opts["destination_rev"] = route.ids[0]
            runner.run(transactions, route.steps)

    migrate_exclusively(env, names, work)
    events.finish({runner.name: runner.applied for runner in runners})
    return list(
        {r: s for runner in runners for r, s in runner.applied.items()}.values()
    )


def _find_pending(env: Environment, found: FoundHeads, plan: Steps) -> list[str]:
    """Return the names of the databases that the plan has steps for, or that are
    locked. For these, it is planned again once the lock is acquired.
    """
    names = []

    for name, heads in found.items():
        if heads is None or list_steps(env, plan, heads, env.contexts[name]):
            # The lock key is read in the same transaction.
            names.append(name)
        else:
            env.end_transaction(name)

    return names
