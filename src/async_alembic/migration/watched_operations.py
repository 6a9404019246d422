"""Operations that notice what a revision does beside changing the schema."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import sys
import traceback
import typing as t

from alembic.operations import ops
from sqlalchemy import event

from ..autogenerate.enum_operations import EnumOp
from ..autogenerate.sequence_operations import SequenceOp
from .operations import RevisionOperations

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.operations import BatchOperations
    from alembic.runtime.migration import MigrationContext

P = t.ParamSpec("P")
T = t.TypeVar("T")
#: What a comparison of schemas can write again.
_CHANGES_OF_SCHEMA = (
    ops.AddConstraintOp,
    ops.AlterTableOp,
    ops.CreateIndexOp,
    ops.CreateTableOp,
    ops.DropConstraintOp,
    ops.DropIndexOp,
    ops.DropTableOp,
    EnumOp,
    SequenceOp,
)
_CHANGES_OF_COLUMN = (ops.AddColumnOp, ops.AlterColumnOp, ops.DropColumnOp)


class WatchedOperations(RevisionOperations):
    """Operations that notice where a revision executes a statement that is not that of
    an operation on the schema, or asks for the connection to do so. What is executed
    counts, not what is in the file.

    :param context: The migration context, with a connection.
    :param has_rows: Whether there may be rows in the tables of databases that run the
        revisions.
    """

    def __init__(self, context: MigrationContext, has_rows: bool) -> None:
        super().__init__(context)
        self._has_rows = has_rows
        #: The file and the line of what was noticed, in order.
        self.noticed: dict[tuple[str, int], None] = {}
        #: The file of the revision that runs, if it is watched.
        self._path: str | None = None
        self._is_expected = False
        #: The tables that a watched revision has created, and the tables and columns
        #: that one has changed.
        self._new_tables: set[tuple[str | None, ...]] = set()
        self._changed: set[tuple[str | None, ...]] = set()
        event.listen(context.connection, "before_cursor_execute", self._notice)

    def watching(self, fn: c.Callable[P, T], path: str) -> c.Callable[P, T]:
        """Return a function of a revision that is watched.

        :param fn: The function.
        :param path: The file that it is in.
        """

        @functools.wraps(fn)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            self._path = path

            try:
                return fn(*args, **kwargs)
            finally:
                self._path = None

        return run

    def invoke(self, operation: t.Any) -> t.Any:
        """Run an operation."""
        if not isinstance(operation, _CHANGES_OF_SCHEMA):
            self._notice()
            return super().invoke(operation)

        self._notice_rows(operation)

        with self._expected():
            return super().invoke(operation)

    def get_bind(self) -> sa.Connection:
        """Return the connection."""
        self._notice()
        return super().get_bind()

    @contextlib.contextmanager
    def batch_alter_table(
        self, *args: t.Any, **kwargs: t.Any
    ) -> c.Iterator[BatchOperations]:
        """Change a table. Its statements are executed at the end of the block."""
        batch = super().batch_alter_table(*args, **kwargs)

        with self._expected():
            batch_op: t.Any = batch.__enter__()

        invoke = batch_op.invoke

        def notice_and_invoke(operation: t.Any) -> t.Any:
            self._notice_rows(operation)
            return invoke(operation)

        batch_op.invoke = notice_and_invoke

        try:
            yield batch_op
        except BaseException:
            batch.__exit__(*sys.exc_info())
            raise

        with self._expected():
            batch.__exit__(None, None, None)

    def _notice_rows(self, operation: t.Any) -> None:
        """Notice what a comparison of schemas does not write again as it was, where
        there are rows: renaming, and what becomes of a column or a table in two steps.
        """
        if not self._has_rows or self._path is None:
            return

        table = tuple(
            getattr(operation, name, None) for name in ("schema", "table_name")
        )

        if isinstance(operation, ops.RenameTableOp):
            self._notice()
        elif isinstance(operation, ops.CreateTableOp):
            self._notice_again(table)
            self._new_tables.add(table)
        elif isinstance(operation, ops.DropTableOp):
            self._changed.add(table)
        elif isinstance(operation, _CHANGES_OF_COLUMN):
            if table not in self._new_tables:
                self._notice_column(operation, table)

    def _notice_column(self, operation: t.Any, table: tuple[str | None, ...]) -> None:
        added = isinstance(operation, ops.AddColumnOp)
        name = operation.column.name if added else operation.column_name
        options = getattr(operation, "kw", {})
        self._notice_again((*table, name))

        if getattr(operation, "modify_name", None) or "postgresql_using" in options:
            self._notice()

    def _notice_again(self, changed: tuple[str | None, ...]) -> None:
        """Notice if it was changed before."""
        if changed in self._changed:
            self._notice()

        self._changed.add(changed)

    @contextlib.contextmanager
    def _expected(self) -> c.Iterator[None]:
        before, self._is_expected = self._is_expected, True

        try:
            yield
        finally:
            self._is_expected = before

    def _notice(self, *args: object) -> None:
        if self._path is not None and not self._is_expected:
            self.noticed[self._path, _line_in(self._path)] = None


def _line_in(path: str) -> int:
    """Return the line of a file that is being run."""
    frames = traceback.walk_stack(None)
    return next(line for frame, line in frames if frame.f_code.co_filename == path)
