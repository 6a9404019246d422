"""The record of a half applied revision, in a table beside the version table."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import json
import typing as t

import sqlalchemy as sa

from ..results import PartialRevision

#: In characters. Databases choose a type that is long enough.
_LONGEST = 2**24


class PartialRecord:
    """The table, which is there only while a revision is half applied.

    :param connection: A connection to the database.
    :param version_table: The name of the version table.
    :param schema: Its schema, if one is configured.
    """

    def __init__(
        self, connection: sa.Connection, version_table: str, schema: str | None
    ) -> None:
        self._connection = connection
        self._versions = sa.table(
            version_table, sa.column("version_num", sa.String), schema=schema
        )
        self._table = sa.Table(
            f"{version_table}_partial",
            sa.MetaData(),
            sa.Column("revision", sa.String(255), nullable=False),
            sa.Column("details", sa.Text(_LONGEST), nullable=False),
            schema=schema,
        )

    def read(self, database: str, heads: c.Iterable[str]) -> PartialRevision | None:
        """The revision that is half applied, if there is one.

        :param database: The name of the database.
        :param heads: Where the database is. If it was elsewhere when the revision
            failed, somebody has said meanwhile where it is.
        """
        if not self.is_there():
            return None

        details = self._connection.scalar(sa.select(self._table.c.details))
        found: dict[str, t.Any] = json.loads(details) if details else {"heads": None}

        if found.pop("heads") != sorted(heads):
            return None

        for name in "applied", "uncertain":
            found[name] = tuple(found[name])

        return PartialRevision(database, **found)

    def is_there(self) -> bool:
        """Whether the table is there."""
        inspector = sa.inspect(self._connection)
        return inspector.has_table(self._table.name, self._table.schema)

    def write(self, partial: PartialRevision) -> bool:
        """Keep what is left of a revision, and commit that.

        :return: Whether the revision is half applied. It is not if the database has it,
            as its commit has come through.
        """
        heads = sorted(
            self._connection.scalars(sa.select(self._versions.c.version_num))
        )

        is_half = (partial.revision in heads) != (partial.direction == "upgrade")

        if is_half:
            details = dataclasses.asdict(partial) | {"heads": heads}
            del details["database"]
            self._table.create(self._connection, checkfirst=True)
            self._connection.execute(self._table.delete())
            self._connection.execute(
                self._table.insert().values(
                    revision=partial.revision, details=json.dumps(details)
                )
            )

        self._connection.commit()
        return is_half

    def clear(self) -> None:
        """Forget the revision."""
        self._table.drop(self._connection, checkfirst=True)
