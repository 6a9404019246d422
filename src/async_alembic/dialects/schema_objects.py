"""What a schema has beside tables, and tables need."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import collections.abc as c

    import sqlalchemy as sa
    from alembic.operations.ops import UpgradeOps

    from .enums import Enums


class Sequence(t.NamedTuple):
    """A sequence that belongs to no column, but gives defaults their values.

    :param sequence: With all of its options. The default schema is ``None``.
    :param users: The schema, table and name of each column.
    """

    sequence: sa.Sequence
    users: frozenset[tuple[str | None, str, str]]


class SchemaObjects:
    """Of a database that has no others."""

    #: The types of enums; ``None`` if an enum is part of its column.
    enums: Enums | None = None

    def sequences(self, connection: sa.Connection) -> list[Sequence]:
        """Return the sequences that belong to no column and are used."""
        return []

    def complete_uniques(
        self,
        connection: sa.Connection,
        uniques: c.Mapping[tuple[str | None, str], c.Iterable[t.Any]],
        schemas: c.Mapping[str | None, str | None],
    ) -> None:
        """Add to what SQLAlchemy has read of unique constraints what it leaves out.

        :param connection: The connection to the database.
        :param uniques: What was read, by schema and table.
        :param schemas: The real schemas, by their names in models.
        """

    def separate(self, upgrade_ops: UpgradeOps) -> None:
        """Create by operations of their own what Alembic loses in a new table.

        :param upgrade_ops: The operations, which are changed.
        """
