"""What a comparison has detected, and which of it loses data."""

from __future__ import annotations

import collections.abc as c
import typing as t

from alembic.operations import ops

from ..results import Change
from .data_loss import find_losses
from .data_loss import LossCommentOp
from .differences import describe
from .differences import difference_of
from .dropped_checks import DroppedCheckOp
from .rename_operations import RenameQuestionOp
from .unknown_tables import KeepTablesOp

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_COMMENTS = (DroppedCheckOp, KeepTablesOp, LossCommentOp, RenameQuestionOp)


def changes_of(
    operations: ops.OpContainer, database: str, dialect: sa.Dialect
) -> c.Iterator[Change]:
    """Yield what operations change.

    :param operations: The operations.
    :param database: The name of the database.
    :param dialect: The dialect of the database.
    """
    for operation in operations.ops:
        if isinstance(operation, ops.OpContainer):
            yield from changes_of(operation, database, dialect)
        elif not isinstance(operation, _COMMENTS):
            text = "; ".join(describe([difference_of(operation)]))
            yield Change(database, text, tuple(find_losses(operation, dialect)))


def comment_on_losses(operations: ops.OpContainer, dialect: sa.Dialect) -> None:
    """Add a comment to each operation that loses data."""
    for operation in [*operations.ops]:
        if isinstance(operation, ops.OpContainer):
            comment_on_losses(operation, dialect)
        elif losses := [*find_losses(operation, dialect)]:
            at = operations.ops.index(operation)
            operations.ops.insert(at, LossCommentOp(losses))
