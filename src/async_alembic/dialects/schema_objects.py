"""What a schema has beside tables, and tables need."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import collections.abc as c

    import sqlalchemy as sa
    from alembic.operations.ops import UpgradeOps

    from .enums import Enums

    #: The schema, ``None`` for the default one, the table and the column.
    Column: t.TypeAlias = tuple[str | None, str, str]
    Checks: t.TypeAlias = c.Mapping[tuple[str | None, str], c.Iterable[t.Any]]
    Uniques: t.TypeAlias = c.Mapping[tuple[str | None, str], c.Iterable[t.Any]]
    Indexes: t.TypeAlias = c.Mapping[tuple[str | None, str], c.Iterable[t.Any]]


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
    #: Whether a column can own the sequence that it takes its values from.
    columns_own_sequences: bool = False

    def sequences(self, connection: sa.Connection) -> list[Sequence]:
        """Return the sequences that belong to no column and are used."""
        return []

    def owned_sequences(self, connection: sa.Connection) -> dict[Column, sa.Sequence]:
        """Return the sequences that columns own and take their values from, with their
        types, but not those of identities.
        """
        return {}

    def column_checks(self, connection: sa.Connection) -> dict[Column, str]:
        """Return the conditions of checks that a change of their column drops."""
        return {}

    def exclusions(
        self, connection: sa.Connection
    ) -> c.Mapping[tuple[str | None, str], dict[str, str]]:
        """Return the definitions of exclusion constraints, by the real schema and the
        table, and by name.
        """
        return {}

    def complete(
        self,
        connection: sa.Connection,
        uniques: Uniques,
        checks: Checks,
        indexes: Indexes,
        schemas: c.Mapping[str | None, str | None],
    ) -> None:
        """Correct what SQLAlchemy has read of constraints and indexes.

        :param connection: The connection to the database.
        :param uniques: The unique constraints, by schema and table.
        :param checks: The check constraints, by schema and table.
        :param indexes: The indexes, by schema and table.
        :param schemas: The real schemas, by their names in models.
        """

    def adjust(self, connection: sa.Connection, upgrade_ops: UpgradeOps) -> None:
        """Make operations do what Alembic's alone don't.

        :param connection: The connection to the database.
        :param upgrade_ops: The operations, which are changed.
        """
