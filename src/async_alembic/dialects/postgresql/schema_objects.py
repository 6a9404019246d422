from __future__ import annotations

import typing as t

from alembic.operations.ops import AlterColumnOp
from alembic.operations.ops import ModifyTableOps

from ..schema_objects import SchemaObjects
from .constraint_options import complete
from .definitions import drop_first
from .definitions import find_exclusions
from .definitions import without_options
from .enums import PostgreSQLEnums
from .exclusions import separate
from .index_texts import escape_conditions
from .sequences import find
from .sequences import find_owned

if t.TYPE_CHECKING:
    import collections.abc as c

    import sqlalchemy as sa
    from alembic.operations.ops import UpgradeOps

    from ..enums import Enums
    from ..schema_objects import Checks
    from ..schema_objects import Column
    from ..schema_objects import Indexes
    from ..schema_objects import Sequence
    from ..schema_objects import Uniques


class PostgreSQLObjects(SchemaObjects):
    enums: Enums | None = PostgreSQLEnums()
    columns_own_sequences = True

    def sequences(self, connection: sa.Connection) -> list[Sequence]:
        return find(connection)

    def owned_sequences(self, connection: sa.Connection) -> dict[Column, sa.Sequence]:
        return find_owned(connection)

    def exclusions(
        self, connection: sa.Connection
    ) -> dict[tuple[str | None, str], dict[str, str]]:
        return find_exclusions(connection)

    def complete(
        self,
        connection: sa.Connection,
        uniques: Uniques,
        checks: Checks,
        indexes: Indexes,
        schemas: c.Mapping[str | None, str | None],
    ) -> None:
        complete(connection, uniques, schemas)
        without_options(checks)
        escape_conditions(indexes)

    def adjust(self, connection: sa.Connection, upgrade_ops: UpgradeOps) -> None:
        separate(upgrade_ops)
        drop_first(connection, upgrade_ops)

        for table in upgrade_ops.ops:
            for op in table.ops if isinstance(table, ModifyTableOps) else ():
                if isinstance(op, AlterColumnOp):
                    # Alembic warns of it, and does nothing.
                    op.kw.pop("autoincrement", None)
