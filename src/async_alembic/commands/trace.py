"""The command that upgrades scratch copies and observes what happens."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t

from ..dialects.migrated import is_savepoint
from ..dialects.migrated import listening
from ..errors import PlanError
from ..errors.from_alembic import converted_errors
from ..migration.operations import RevisionOperations
from ..migration.planned_statements import StatementCollector
from .plan import listing
from .plan import make_plan
from .plan import steps_to
from .scratch import upgrade

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep
    from alembic.script import Script

    from ..dialects.observing import Observer
    from ..history.targets import StepTarget
    from ..migration.environment import Environment
    from ..migration.environment import Steps
    from ..plans import Plan

#: How often to look what a statement does that runs outside of a transaction, in
#: seconds.
_INTERVAL = 0.02


@converted_errors()
def trace(
    env: Environment,
    target: StepTarget,
    current: c.Mapping[str, tuple[str, ...]],
) -> dict[str, Plan]:
    """Upgrade empty databases as far as the originals are, and then observe an upgrade.

    :param env: The empty databases.
    :param current: The ids of the revisions that the originals are at.
    """
    upgrade(
        env,
        {
            name: steps_to(env.project, list(heads))
            for name, heads in current.items()
            if heads
        },
    )
    tracers = {name: Tracer(env, name) for name in env.names}
    steps = steps_to(env.project, target)

    with contextlib.ExitStack() as stack:
        for tracer in tracers.values():
            stack.enter_context(tracer.tracing())

        with contextlib.suppress(_Traced):
            traced = {name: tracer.traced(steps) for name, tracer in tracers.items()}
            upgrade(env, traced, at_end=_roll_back)

    def make() -> dict[str, Plan]:
        return {
            name: make_plan(
                current[name],
                tracer.scripts,
                tracer.collector,
                env.dialect(name).lint,
            )
            for name, tracer in tracers.items()
        }

    return t.cast("dict[str, Plan]", env.databases.offload(make))


class _Traced(Exception):
    """All is observed. What was done to the server, such as a role that was made, is
    rolled back with the rest, where it can be.
    """


def _roll_back() -> None:
    raise _Traced


class Tracer:
    """Traces the upgrade of one database.

    :param env: The scratch copies.
    :param name: The name of the database.
    :ivar scripts: The revisions that were applied.
    :ivar collector: Has their statements.
    """

    def __init__(self, env: Environment, name: str) -> None:
        self._env = env
        self._name = name
        self._connection = env.connection(name)
        self._is_looking = False
        self._statement = ""
        self.scripts: list[Script] = []
        self.collector: StatementCollector = StatementCollector(
            self._connection.dialect
        )

    @contextlib.contextmanager
    def tracing(self) -> c.Iterator[None]:
        """Observe the statements of the connection."""
        databases = self._env.databases
        self._observer: Observer = self._env.dialect(self._name).observer(
            self._connection,
            functools.partial(databases.connect, self._name),
            lambda fn: databases.repeated(self._name, fn, _INTERVAL),
        )

        try:
            with listening(
                self._connection,
                {
                    "before_cursor_execute": self._before,
                    "after_cursor_execute": self._after,
                },
                retval={"before_cursor_execute"},
            ):
                yield
        finally:
            self._observer.close()

    def traced(self, steps: Steps) -> Steps:
        """Return the same steps, which note what they execute."""
        listed = listing(steps, self.scripts)

        def run(heads: t.Any, context: MigrationContext) -> c.Iterator[RevisionStep]:
            self.scripts.clear()

            for step in listed(heads, context) or ():
                script = t.cast("t.Any", step).revision
                step.migration_fn = self.collector.wrap(step.migration_fn, script)
                yield step

        return run

    def _before(
        self,
        connection: sa.Connection,
        cursor: object,
        statement: str,
        parameters: object,
        context: object,
        executemany: bool,
    ) -> tuple[str, object]:
        if not self._observes(context):
            return statement, parameters

        # Raises an exception if the call is cancelled.
        self._env.databases.sleep(0)
        self._refuse_other_databases()
        self._statement = statement

        with self._looking():
            return self._observer.before(cursor, statement, parameters), parameters

    def _after(
        self,
        connection: sa.Connection,
        cursor: t.Any,
        statement: str,
        parameters: object,
        context: object,
        executemany: bool,
    ) -> None:
        if not self._observes(context):
            return

        with self._looking():
            observed = self._observer.after()

        # What only reads, and nothing that is worth to be known, is left out.
        if not cursor.description or observed.locks or observed.scanned:
            self.collector.add(self._statement, self._operations.operation, observed)

    def _observes(self, context: object) -> bool:
        in_revision = self.collector.is_in_revision and not self._is_looking
        return in_revision and not is_savepoint(context)

    def _refuse_other_databases(self) -> None:
        operation = self._operations.operation
        schema = getattr(operation, "schema", None)

        if schema and self._env.dialect(self._name).schemas_are_databases:
            raise PlanError(
                self._name,
                f"a revision names the database '{schema}', for which there is no"
                " scratch copy",
                "Plan without a trace",
            )

    @property
    def _operations(self) -> RevisionOperations:
        return t.cast("RevisionOperations", self._env.ops[self._name])

    @contextlib.contextmanager
    def _looking(self) -> c.Iterator[None]:
        self._is_looking = True

        try:
            yield
        finally:
            self._is_looking = False
