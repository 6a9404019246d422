"""Collects the statements of revisions, and what the operations say about them."""

from __future__ import annotations

import collections.abc as c
import functools
import itertools
import traceback
import typing as t

import sqlalchemy as sa
from alembic.operations.ops import ModifyTableOps

from ..apps.guarded_engines import trying_out
from ..autogenerate.data_loss import find_losses
from ..errors import OfflineError
from ..plans import PlannedStatement
from .descriptions import describe
from .literals import MissingValueError

if t.TYPE_CHECKING:
    from alembic.operations import MigrateOperation
    from alembic.script import Script

    from ..plans import Observed


class _Statement(t.NamedTuple):
    sql: str
    operation: MigrateOperation | None
    line: int | None
    observed: Observed | None


class StatementCollector:
    """Collects the statements of revisions.

    :param dialect: The dialect of the database.
    :ivar unknown: Why a revision may have more statements, by its id.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._statements: dict[str, list[_Statement]] = {}
        self._running: Script | None = None
        self.unknown: dict[str, str] = {}

    @property
    def is_in_revision(self) -> bool:
        """Whether a revision is running."""
        return self._running is not None

    def wrap(self, fn: c.Callable[..., None], script: Script) -> c.Callable[..., None]:
        """Return the function of a revision, which notes what it executes. What cannot
        be known without a database is noted, and not raised.
        """

        # Alembic writes the name of the function.
        @functools.wraps(fn)
        def run(**kwargs: t.Any) -> None:
            self._running = script

            try:
                with trying_out():
                    fn(**kwargs)
            except OfflineError as e:
                if isinstance(e.__cause__, MissingValueError):
                    raise

                where = "It" if e.line is None else f"Line {e.line}"
                self.unknown[script.revision] = f"{where} needs a database"
            finally:
                self._running = None

        return run

    def add(
        self,
        sql: str,
        operation: MigrateOperation | None,
        observed: Observed | None = None,
    ) -> None:
        """Add a statement. Those between revisions are left out.

        :param sql: The statement.
        :param operation: The operation that executes it, if there is one.
        :param observed: What the server has done.
        """
        if self._running is not None:
            line = _running_line(self._running.path)
            statements = self._statements.setdefault(self._running.revision, [])
            statements.append(_Statement(sql, operation, line, observed))

    def of(self, revision: str) -> tuple[PlannedStatement, ...]:
        """Return the statements of a revision."""
        statements = self._statements.get(revision, ())
        # A batch is executed as a whole, at its end.
        groups = itertools.groupby(statements, lambda found: id(found.operation))
        return tuple(
            self._planned(statement, operation)
            for _, group in groups
            for statement, operation in _with_operations([*group])
        )

    def _planned(
        self, statement: _Statement, operation: MigrateOperation | None
    ) -> PlannedStatement:
        losses = () if operation is None else find_losses(operation, self._dialect)
        return PlannedStatement(
            statement.sql,
            describe(operation),
            statement.line,
            tuple(losses),
            statement.observed,
        )


def _with_operations(
    group: list[_Statement],
) -> c.Iterator[tuple[_Statement, MigrateOperation | None]]:
    operation = group[0].operation

    if isinstance(operation, ModifyTableOps) and len(operation.ops) == len(group):
        return zip(group, operation.ops, strict=True)

    return zip(group, itertools.repeat(operation), strict=False)


def _running_line(path: str) -> int | None:
    """Return the line of a file that is being executed."""
    return next(
        (
            line
            for frame, line in traceback.walk_stack(None)
            if frame.f_code.co_filename == path
        ),
        None,
    )
