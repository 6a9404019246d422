"""Runs revisions: records and tells what they do, and says what has failed."""

from __future__ import annotations

import inspect
import time
import typing as t

from ..errors import line_in
from ..errors import LockLostError
from ..errors import MigrationError
from ..errors import PartialRevisionError
from ..errors import ResumeError
from ..errors import RevisionFileError
from ..results import Outcome
from . import half_applied
from .audit import Audit
from .events import log
from .steps import list_steps
from .steps import StepRunner
from .steps import with_known_check

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep
    from alembic.script import Script

    from ..dialects.journals import Journal
    from ..dialects.journals import Recorded
    from ..dialects.migrated import MigratedConnection
    from ..results import PartialRevision
    from .environment import Environment
    from .environment import Steps
    from .events import CallEvents
    from .transactions import Transactions


#: Errors that are not about the revision that runs.
_RAISED_AS_THEY_ARE = (LockLostError, ResumeError)


class RevisionRunner(StepRunner):
    """Applies or reverts revisions of one database.

    :param env: The files and the open databases.
    :param name: The name of the database.
    :param way: What to do about a half-applied revision.
    :param events: The signals of the call.
    :ivar applied: The revisions that were run, by id, in order.
    """

    def __init__(
        self,
        env: Environment,
        name: str,
        way: half_applied.Way,
        events: CallEvents,
    ) -> None:
        super().__init__(env, name)
        self.applied: dict[str, Script] = {}
        self._direction = events.direction
        self._events = events
        self._way = way
        self._recorded: Recorded | None = None
        self._audit: Audit | None = None
        self._running: Script | None = None
        self._started = 0.0
        #: How many revisions are run in all.
        self._total = 0
        #: The ids that the database was at.
        self._before: tuple[str, ...] = ()

    def run(self, transactions: Transactions, steps: Steps, /, **kwargs: t.Any) -> None:
        """See :meth:`StepRunner.run`.

        :raises MigrationError: If a revision fails.
        :raises PartialRevisionError: If a revision is half applied since a failure, and
            not to be resumed, or cannot be.
        """
        if self._env.project.settings.audit:
            self._audit = Audit(self._env, self.name)

        try:
            super().run(transactions, steps, **kwargs)

            half_applied.finish(
                self._env, self.name, transactions.connections[self.name]
            )
        except BaseException as e:
            partial = self._settle(transactions, e)

            if not isinstance(e, Exception):
                self._log_interruption(partial or self._outcome(transactions))
                raise

            if isinstance(e, _RAISED_AS_THEY_ARE):
                raise

            if (interrupt := _find_interrupt(e)) is not None:
                raise interrupt from None

            if (script := self._running) is None:
                raise

            migrated = transactions.connections[self.name]

            raise MigrationError(
                self._direction,
                self.name,
                script.revision,
                script.path,
                e,
                line=line_in(script.path, e),
                is_recorded=self._has_run,
                swallowed=migrated.swallowed(e),
                advice=migrated.advice(e)
                or self._env.dialect(self.name).advice(
                    self._env.connection(self.name), e
                ),
                partial=partial,
                outcome=self._outcome(transactions),
            ) from e
        finally:
            self._running = None

    def _plan(
        self, steps: Steps, heads: t.Any, context: MigrationContext
    ) -> list[RevisionStep]:
        if not self.applied:
            self._before = heads

        recorded = half_applied.check(self._env, self.name, heads, self._way)
        known = with_known_check(self._env, self.name, steps)
        run = list_steps(self._env, known, heads, context)

        for step in run:
            script = _script_of(step)
            # A retry reruns the revisions that were rolled back.
            self.applied.pop(script.revision, None)

            # Alembic would call it, and record the revision as applied.
            if inspect.iscoroutinefunction(step.migration_fn):
                raise RevisionFileError(
                    script.path,
                    inspect.unwrap(step.migration_fn).__code__.co_firstlineno,
                    f"the function '{self._direction}' is a coroutine function, which"
                    f" would not run. Write 'def {self._direction}()'.",
                )

        self._total = len(self.applied) + len(run)

        if recorded is not None:
            self._check_resumes(recorded.partial, run)
            self._recorded = recorded

        return run

    def _check_resumes(self, partial: PartialRevision, run: list[RevisionStep]) -> None:
        """Check that the revision to resume is the first to run."""
        first = [_script_of(step).revision for step in run[:1]]

        if (partial.direction, [partial.revision]) != (self._direction, first):
            raise PartialRevisionError(partial)

    def _outcome(self, transactions: Transactions) -> Outcome:
        all_or_nothing = transactions.is_all_or_nothing(self.name)
        return Outcome(
            self._before,
            self._before if all_or_nothing else None,
            transactions.connections[self.name].has_committed,
        )

    def _settle(
        self, transactions: Transactions, error: BaseException
    ) -> PartialRevision | None:
        if self._running is None or self._journal is None:
            return None

        return half_applied.settle(
            self._env,
            self.name,
            transactions.connections[self.name],
            half_applied.describe(self._direction, self._running),
            is_interrupted=not isinstance(error, Exception),
        )

    def _log_interruption(self, outcome: object) -> None:
        if (script := self._running) is not None:
            log.warning(
                "The %s of database '%s' was interrupted in revision %s (%s). %s.",
                self._direction,
                self.name,
                script.revision,
                script.path,
                str(outcome).rstrip("."),
            )

    @property
    def _journal(self) -> Journal | None:
        return half_applied.journal_of(self._env, self.name)

    def _on_start(self, step: RevisionStep, migrated: MigratedConnection) -> None:
        self._running = _script_of(step)

        if (journal := self._journal) is not None:
            details = half_applied.describe(self._direction, self._running)
            recorded, self._recorded = self._recorded, None
            migrated.record(journal, details, recorded)

        self._events.start_revision(**self._describe(self._running))
        self._started = time.perf_counter()

    def _before_revision(self) -> None:
        if self._audit is not None:
            self._audit.create()

    def _after_revision(self) -> None:
        if self._audit is not None and self._running is not None:
            seconds = time.perf_counter() - self._started
            self._audit.write(self._running, self._direction, seconds)

    def _on_end(self, step: RevisionStep) -> None:
        script = _script_of(step)
        self._running = None
        seconds = time.perf_counter() - self._started
        described = self._describe(script)
        self.applied[script.revision] = script
        self._events.end_revision(**described, seconds=seconds)

    def _describe(self, script: Script) -> dict[str, t.Any]:
        """Return what signals say of the running revision."""
        return {
            "database": self.name,
            "revision": script.revision,
            "message": script.doc,
            "number": len(self.applied) + 1,
            "total": self._total,
        }


def _find_interrupt(error: BaseException | None) -> KeyboardInterrupt | None:
    """Return the Ctrl-C behind an error. Alembic's cleanup fails after a Ctrl-C, as the
    connection is already gone, and that error hides it.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__

    return error


def _script_of(step: RevisionStep) -> Script:
    script: Script = t.cast("t.Any", step).revision
    return script
