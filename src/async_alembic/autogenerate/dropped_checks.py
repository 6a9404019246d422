"""Says in a revision which checks a change of a column drops, where a server keeps them
as a part of the column.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from alembic.autogenerate import renderers
from alembic.operations import ops

from .changed_columns import key_of

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

    from .changed_columns import ColumnKey


class DroppedCheckOp(ops.MigrateOperation):
    """A comment in a revision.

    :param column: The name of the column.
    :param condition: The condition of its check.
    """

    def __init__(self, column: str, condition: str) -> None:
        self.column = column
        self.condition = condition


def comment_on_checks(
    operations: ops.OpContainer, checks: c.Mapping[ColumnKey, str]
) -> None:
    """Add a comment to each operation that drops a check.

    :param operations: The operations.
    :param checks: The conditions of the checks that are a part of their column.
    """
    for operation in [*operations.ops]:
        if isinstance(operation, ops.OpContainer):
            comment_on_checks(operation, checks)
        elif isinstance(operation, ops.AlterColumnOp) and _is_defined_anew(operation):
            if condition := checks.get(key_of(operation)):
                at = operations.ops.index(operation)
                comment = DroppedCheckOp(operation.column_name, condition)
                operations.ops.insert(at, comment)


def _is_defined_anew(operation: ops.AlterColumnOp) -> bool:
    return operation.modify_comment is not False or any(
        change is not None
        for change in (
            operation.modify_type,
            operation.modify_nullable,
            operation.modify_name,
        )
    )


@renderers.dispatch_for(DroppedCheckOp)
def _render(autogen_context: AutogenContext, op: DroppedCheckOp) -> list[str]:
    condition = " ".join(op.condition.split())
    return [
        f"# Drops the check of the column '{op.column}': {condition}.",
        "# Create it again after this, by op.create_check_constraint().",
    ]
