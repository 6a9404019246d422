"""Alembic's operations, as revisions use them."""

from __future__ import annotations

import contextlib
import typing as t

from alembic.operations import Operations

if t.TYPE_CHECKING:
    from alembic.operations import BatchOperations

    from ..dialects.migrated import MigratedConnection


class RevisionOperations(Operations):
    """Operations whose ``batch_alter_table`` is the dialect's.

    :ivar migrated: The connection during a migration. Without one, batches are
        Alembic's own.
    """

    migrated: MigratedConnection | None = None

    def batch_alter_table(  # type: ignore[override]
        self, *args: t.Any, **kwargs: t.Any
    ) -> contextlib.AbstractContextManager[BatchOperations]:
        batch = super().batch_alter_table

        if self.migrated is None:
            return batch(*args, **kwargs)

        return self.migrated.batch_alter_table(batch, *args, **kwargs)
