from __future__ import annotations

import typing as t

from ..schema_objects import SchemaObjects
from .constraint_options import complete
from .enums import PostgreSQLEnums
from .exclusions import separate
from .sequences import find

if t.TYPE_CHECKING:
    import collections.abc as c

    import sqlalchemy as sa
    from alembic.operations.ops import UpgradeOps

    from ..enums import Enums
    from ..schema_objects import Sequence


class PostgreSQLObjects(SchemaObjects):
    enums: Enums | None = PostgreSQLEnums()

    def sequences(self, connection: sa.Connection) -> list[Sequence]:
        return find(connection)

    def complete_uniques(
        self,
        connection: sa.Connection,
        uniques: c.Mapping[tuple[str | None, str], c.Iterable[t.Any]],
        schemas: c.Mapping[str | None, str | None],
    ) -> None:
        complete(connection, uniques, schemas)

    def separate(self, upgrade_ops: UpgradeOps) -> None:
        separate(upgrade_ops)
