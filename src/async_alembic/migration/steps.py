"""Runs the steps of a plan: the revisions of one database, one after another."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t

from ..apps.names import default_name
from . import op_per_task
from .engine_name import with_engine_name
from .events import statements_sent
from .inherited_context import inherited_by_threads
from .transactions import kept_alive_except

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

    from ..dialects.migrated import MigratedConnection
    from .environment import Environment
    from .environment import Steps
    from .transactions import Transactions


P = t.ParamSpec("P")
T = t.TypeVar("T")


class StepRunner:
    """Runs steps on one database.

    :param env: The files and the open databases.
    :param name: The name of the database.
    """

    def __init__(self, env: Environment, name: str) -> None:
        self._env = env
        self.name = name
        #: Whether only the id of the running revision is left to be written.
        self._has_run = False

    def run(self, transactions: Transactions, steps: Steps, /, **kwargs: t.Any) -> None:
        """Run steps inside the transactions.

        :param transactions: The open transactions.
        :param steps: Takes the current heads and the migration context, and returns the
            steps to run. Called again if another migrator has changed the database.
        :param kwargs: Passed to ``upgrade`` or ``downgrade`` of each revision.
        """
        migrated = transactions.connections[self.name]
        engine_name = self._env.project.database_names.of(self.name)
        # The app's, even if another one is chosen.
        is_default = self.name == default_name(self._env.metadatas)
        is_done = False

        def run(heads: t.Any, context: MigrationContext) -> c.Iterator[RevisionStep]:
            nonlocal is_done
            is_first = True

            for step in self._plan(steps, heads, context):
                if not is_first:
                    # Nothing is committed within a transaction, so a recent check will
                    # do.
                    is_open = transactions.is_open(self.name)
                    transactions.check_lock(self.name, throttled=is_open)

                    if not migrated.resume():
                        return

                is_first = False
                self._has_run = False
                self._env.check_fits(self.name, step.to_revisions)
                op_per_task.reinstall()
                self._on_start(step, migrated)
                step.migration_fn = _inside(
                    functools.partial(self._in_revision, transactions),
                    with_engine_name(step.migration_fn, engine_name, is_default),
                )
                yield step
                migrated.on_revision_end()
                transactions.reopen(self.name)
                self._on_end(step)

            is_done = True

        names = transactions.connections

        with (
            self._env.use(self.name),
            kept_alive_except(self._env, self.name, names),
        ):
            while not is_done:
                self._env.steps = run
                self._env.contexts[self.name].run_migrations(**kwargs)

    @contextlib.contextmanager
    def _in_revision(self, transactions: Transactions) -> c.Iterator[None]:
        try:
            self._before_revision()

            with (
                inherited_by_threads(),
                statements_sent(self._env, self.name),
                transactions.connections[self.name].in_revision(),
            ):
                yield

            self._after_revision()
            self._has_run = True
        except BaseException:
            transactions.notice_end(self.name)
            # Where each revision has its own transaction, Alembic rolls it back before
            # anything else can know.
            self._env.databases.time_limit.start()
            raise

    def _plan(
        self, steps: Steps, heads: t.Any, context: MigrationContext
    ) -> c.Iterable[RevisionStep]:
        return steps(heads, context) or ()

    def _before_revision(self) -> None:
        """Called in the transaction of a revision."""

    def _after_revision(self) -> None:
        """Called in the transaction of a revision, before its id is written."""

    def _on_start(self, step: RevisionStep, migrated: MigratedConnection) -> None: ...

    def _on_end(self, step: RevisionStep) -> None: ...


def _inside(
    context: c.Callable[[], contextlib.AbstractContextManager[None]],
    fn: c.Callable[P, T],
) -> c.Callable[P, T]:
    """Return a function that runs in a context."""

    @functools.wraps(fn)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with context():
            return fn(*args, **kwargs)

    return run


def list_steps(
    env: Environment, steps: Steps, heads: t.Any, context: MigrationContext
) -> list[RevisionStep]:
    """Return the steps to run. Imports the modules of their revisions, offloaded as
    that reads files.
    """
    found: list[RevisionStep] = env.databases.offload(
        lambda: list(steps(heads, context) or ())
    )
    return found


def with_known_check(env: Environment, name: str, steps: Steps) -> Steps:
    """Wrap steps with a check that the code has every revision that a database is at.

    :return: The steps. They raise :exc:`.UnknownRevisionInDatabaseError` if it does
        not.
    """

    def steps_after_check(
        heads: t.Any, context: MigrationContext
    ) -> c.Iterable[RevisionStep] | None:
        env.check_known(name, heads)
        return steps(heads, context)

    return steps_after_check
