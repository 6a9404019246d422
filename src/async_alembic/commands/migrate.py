"""Commands that change a database along the history of its revisions."""

from __future__ import annotations

import collections.abc as c
import time
import typing as t

from sqlalchemy.exc import SQLAlchemyError

from ..errors import LockLostError
from ..errors import MigrationError
from ..errors import MultipleHeadsError
from ..errors import RevisionError
from ..errors import RevisionNotFoundError
from ..errors.from_alembic import converted_errors
from ..history.targets import to_ids
from ..history.targets import to_steps
from ..migration.environment import Watch
from ..migration.retries import take_turn
from ..results import Progress
from .partial import find_partial
from .partial import forget_partial
from .partial import has_partial
from .partial import keep_partial
from .partial import refuse_partial

if t.TYPE_CHECKING:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep
    from alembic.script import Script

    from ..history.targets import StepTarget
    from ..history.targets import Target
    from ..migration.environment import Environment
    from ..migration.environment import Steps
    from ..results import PartialRevision
    from ..results import Report

T = t.TypeVar("T")


@converted_errors()
def upgrade(
    env: Environment,
    target: StepTarget,
    report: Report | None = None,
    *,
    retry: bool = False,
) -> list[Script]:
    # Asked about numbers only, so that nothing is put in order for "heads".
    ids = to_steps(target, lambda revision: env.scripts.has(revision), 1)

    def plan(heads: t.Any, context: MigrationContext) -> c.Iterable[RevisionStep]:
        if ids == ["heads"] and env.project.scripts.graph.last == {*heads}:
            return ()

        # Despite its signature, several ids may be given, but not relative ones.
        destination = ids[0] if len(ids) == 1 else ids
        return env.project.scripts._upgrade_revs(destination, heads)  # type: ignore[arg-type]

    return _migrate(env, "upgrade", ids, plan, report, retry)


@converted_errors()
def downgrade(
    env: Environment,
    target: StepTarget,
    report: Report | None = None,
    *,
    retry: bool = False,
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

    def plan(heads: t.Any, context: MigrationContext) -> c.Iterable[RevisionStep]:
        if ids[0][0] in "+-" and len(heads) > 1:
            # Alembic warns, and takes any one of them back.
            raise MultipleHeadsError(heads)

        return env.project.scripts._downgrade_revs(ids[0], heads)

    return _migrate(env, "downgrade", ids, plan, report, retry)


@converted_errors()
def stamp(env: Environment, target: Target, purge: bool) -> None:
    ids = to_ids(target)

    def plan(heads: t.Any, context: MigrationContext) -> c.Iterable[RevisionStep]:
        return env.project.scripts._stamp_revs(ids, heads)  # type: ignore[return-value]

    for context in env.contexts.values():
        context.purge = purge

    pending = list(env.contexts) if purge else _find_pending(env, plan)
    names = [n for n in env.contexts if n in pending or has_partial(env, n)]

    def work() -> None:
        for name in names:
            env.run_steps(name, _checked(env, name, plan), Watch())
            forget_partial(env, name)

    take_turn(env, names, work)


@converted_errors()
def run_migrations(env: Environment, /, fn: Steps, **kwargs: t.Any) -> None:
    def work() -> None:
        for name in env.contexts:
            env.run_steps(name, fn, Watch(), **kwargs)

    take_turn(env, list(env.contexts), work)


def run(env: Environment, fn: c.Callable[[Environment], T]) -> T:
    names = list(env.contexts)

    with (
        env.session(names),
        env.migrating(names, single=True),
        env.isolated(env.default),
    ):
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
    retry: bool,
) -> list[Script]:
    names = _find_pending(env, plan if target != ["+0"] else lambda heads, context: ())
    runs = [_Run(env, name, direction, report, retry) for name in names]

    def work() -> None:
        for run in runs:
            environment_context = env.environment_contexts[run.name]
            environment_context.context_opts["destination_rev"] = target[0]
            run.run(plan)

    take_turn(env, names, work)
    return list({r: s for run in runs for r, s in run.applied.items()}.values())


class _Run(Watch):
    """What is applied to one database.

    :ivar applied: The revisions by their ids, in that order.
    """

    def __init__(
        self,
        env: Environment,
        name: str,
        direction: str,
        report: Report | None,
        retry: bool,
    ) -> None:
        self.name = name
        self.applied: dict[str, Script] = {}
        self._env = env
        self._direction = direction
        self._report = report
        self._retry = retry
        self._running: Script | None = None
        self._started = 0.0

    def run(self, plan: Steps) -> None:
        def steps(heads: t.Any, context: MigrationContext) -> list[RevisionStep]:
            refuse_partial(self._env, self.name, heads, retry=self._retry)
            planned = _plan(
                self._env, _checked(self._env, self.name, plan), heads, context
            )

            # What was rolled back is to be done again.
            for step in planned:
                self.applied.pop(_script_of(step).revision, None)

            return planned

        try:
            self._env.run_steps(self.name, steps, self)
        except LockLostError:
            raise
        except BaseException as e:
            partial = self._keep_partial(e)

            if not isinstance(e, Exception):
                raise

            if (interrupt := _find_interrupt(e)) is not None:
                raise interrupt from None

            if (script := self._running) is None:
                raise

            raise MigrationError(
                self._direction,
                self.name,
                script.revision,
                script.path,
                e,
                advice=self._advice(e),
                partial=partial,
            ) from e
        finally:
            self._running = None

    def _advice(self, error: Exception) -> str | None:
        connection = self._env.databases.connections[self.name]
        return self._env.dialect(self.name).advice(connection, error)

    def _keep_partial(self, error: BaseException) -> PartialRevision | None:
        if self._running is None:
            return None

        partial = find_partial(
            self._env, self.name, self._direction, self._running, error
        )

        if partial is None or not keep_partial(self._env, partial):
            return None

        return partial

    def begins(self, step: RevisionStep) -> None:
        self._running = _script_of(step)
        self._started = time.perf_counter()
        self._tell(self._running, None)

    def ends(self, step: RevisionStep) -> None:
        script = _script_of(step)
        self._running = None
        self.applied[script.revision] = script
        self._tell(script, time.perf_counter() - self._started)

    def _tell(self, script: Script, seconds: float | None) -> None:
        if self._report is not None:
            several = len(self._env.contexts) > 1
            self._report(Progress(self.name, several, script, self._direction, seconds))


def _find_interrupt(error: BaseException | None) -> KeyboardInterrupt | None:
    """The Ctrl-C that an error came after. Alembic cleans up before it lets go, which
    fails as the connection is gone by then.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__

    return error


def _script_of(step: RevisionStep) -> Script:
    script: Script = t.cast("t.Any", step).revision
    return script


def _find_pending(env: Environment, plan: Steps) -> list[str]:
    """The databases for which there is something to do."""
    names = []

    for name, context in env.contexts.items():
        try:
            if _plan(env, plan, env.current(name), context):
                # What the lock needs to know is read in the same transaction.
                names.append(name)
                continue
        except SQLAlchemyError as e:
            if not env.is_blocked(name, e):
                raise

            # By another migrator, it seems; it is looked at when that one is done.
            names.append(name)

        env.stop_reading(name)

    return names


def _plan(
    env: Environment, plan: Steps, heads: t.Any, context: MigrationContext
) -> list[RevisionStep]:
    """Call a plan where it may block: the modules of its revisions are imported."""
    steps: list[RevisionStep] = env.databases.offload(
        lambda: list(plan(heads, context) or ())
    )
    return steps


def _checked(env: Environment, name: str, plan: Steps) -> Steps:
    """A plan for where a database is, after it was checked that the code knows that."""

    def steps(
        heads: t.Any, context: MigrationContext
    ) -> c.Iterable[RevisionStep] | None:
        env.check_known(name, heads)
        return plan(heads, context)

    return steps
