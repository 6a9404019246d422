"""Alembic's operations, as revisions use them."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.operations.ops import AddColumnOp
from alembic.operations.ops import AlterColumnOp
from alembic.operations.ops import BulkInsertOp
from alembic.operations.ops import CreateTableOp
from alembic.operations.ops import CreateUniqueConstraintOp
from alembic.operations.ops import ModifyTableOps
from sqlalchemy.types import to_instance

# Revisions use what these register.
from ..autogenerate import enum_operations as enum_operations
from ..autogenerate import sequence_operations as sequence_operations
from ..dialects import dialect_named

if t.TYPE_CHECKING:
    from alembic.operations import BatchOperations
    from alembic.operations import MigrateOperation
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.types import TypeEngine

    from ..dialects.migrated import MigratedConnection


class RevisionOperations(Operations):
    """Operations whose ``batch_alter_table`` is the dialect's.

    :ivar migrated: The connection during a migration. Without one, batches are
        Alembic's own.
    :ivar operation: The operation that is being executed, if any.
    """

    migrated: MigratedConnection | None = None
    operation: MigrateOperation | None = None

    def __init__(self, migration_context: MigrationContext) -> None:
        super().__init__(migration_context)
        impl = migration_context.impl
        dialect_named(impl.dialect.name).use_conversions(impl)

    def invoke(self, operation: MigrateOperation) -> t.Any:
        with self._executing(operation):
            self._prepare(operation)
            return super().invoke(operation)

    @contextlib.contextmanager
    def batch_alter_table(
        self, table_name: str, schema: str | None = None, *args: t.Any, **kwargs: t.Any
    ) -> c.Iterator[BatchOperations]:
        batch: t.Any = super().batch_alter_table

        if self.migrated is not None:
            block = self.migrated.batch_alter_table(
                batch, table_name, schema, *args, **kwargs
            )
        else:
            block = batch(table_name, schema, *args, **kwargs)

        change = ModifyTableOps(table_name, [], schema=schema)

        with contextlib.ExitStack() as stack:
            # The table is changed at the end of the block.
            stack.enter_context(self._executing(change))
            batch_op = stack.enter_context(block)
            invoke = batch_op.invoke

            def invoke_and_note(operation: MigrateOperation) -> t.Any:
                change.ops.append(operation)
                self._prepare(operation)
                return invoke(operation)

            batch_op.invoke = invoke_and_note  # type: ignore[method-assign]
            yield batch_op

    def _prepare(self, operation: MigrateOperation) -> None:
        """Create the types that an operation needs, and let it include any columns."""
        _include_columns(operation)
        _keep_values(operation)
        impl = self.migration_context.impl

        if enums := dialect_named(impl.dialect.name).schema_objects.enums:
            enums.create_missing(impl, _new_types(operation))

    @contextlib.contextmanager
    def _executing(self, operation: MigrateOperation) -> c.Iterator[None]:
        outer, self.operation = self.operation, operation

        try:
            yield
        finally:
            self.operation = outer


def _new_types(operation: MigrateOperation) -> c.Iterator[TypeEngine[t.Any]]:
    """Yield the types that columns get."""
    match operation:
        case CreateTableOp():
            for column in operation.columns:
                if isinstance(column, sa.Column):
                    yield column.type
        case AddColumnOp():
            yield operation.column.type
        case AlterColumnOp() if operation.modify_type is not None:
            yield to_instance(operation.modify_type)


def _include_columns(operation: MigrateOperation) -> None:
    """Turn names into columns. SQLAlchemy looks names up in the table, which has only
    the columns of the constraint.
    """
    if isinstance(operation, CreateUniqueConstraintOp):
        for option, value in operation.kw.items():
            if option.endswith("_include") and value:
                operation.kw[option] = [
                    sa.column(item) if isinstance(item, str) else item for item in value
                ]


def _keep_values(operation: MigrateOperation) -> None:
    """Insert rows one by one if a later one has a column that the first one lacks. At
    once, SQLAlchemy takes only the columns of the first one.
    """
    if not isinstance(operation, BulkInsertOp):
        return

    columns = {*operation.table.columns.keys()}
    first, *others = [columns & {*row} for row in operation.rows] or [columns]

    if any(keys - first for keys in others):
        operation.multiinsert = False
        # Inserted at once, other keys are ignored.
        operation.rows = [
            {key: value for key, value in row.items() if key in columns}
            for row in operation.rows
        ]
