"""Handles a revision that is half applied because DDL cannot be rolled back. A table
beside the version table records it.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import json
import typing as t

import sqlalchemy as sa
from alembic.util import to_tuple

from ..dialects.migrated import is_usable
from ..errors import first_line
from ..errors import PartialRevisionError
from ..results import PartialRevision
from .companion_tables import partial_table
from .locking import log

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..dialects.migrated import AppliedStatements
    from .environment import Environment

#: In characters, so that the database chooses a type that is long enough.
_MAX_LENGTH = 2**24


def check(env: Environment, name: str, heads: c.Iterable[str], *, retry: bool) -> None:
    """Check that no revision is half applied.

    :param env: The open databases.
    :param name: The name of the database.
    :param heads: The ids of the revisions that the database is at.
    :param retry: Whether to delete the record instead, as the user has undone the
        revision by hand.
    :raises PartialRevisionError: If a revision is half applied.
    """
    if env.dialect(name).is_atomic:
        return

    record = _record_of(env, name)
    partial = record.read(name, heads)

    if partial is not None and not retry:
        raise PartialRevisionError(partial)

    if retry:
        record.clear()


def has_record(env: Environment, name: str) -> bool:
    """Return whether a database has a record of a half-applied revision."""
    if env.dialect(name).is_atomic:
        return False

    try:
        return _record_of(env, name).exists()
    finally:
        env.end_transaction(name)


def clear(env: Environment, name: str) -> None:
    """Delete the record, as the user has stamped the database."""
    if not env.dialect(name).is_atomic:
        _record_of(env, name).clear()


def describe(
    name: str, direction: str, script: Script, statements: AppliedStatements
) -> PartialRevision:
    """Describe a revision that failed and is half applied.

    :param name: The name of the database.
    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param script: The revision.
    :param statements: What was not rolled back.
    """
    target = script.revision

    if direction == "downgrade":
        # 'base' alone would remove the revisions of other branches too.
        below = to_tuple(script.down_revision, default=())
        target = " ".join(below) or f"{script.revision}@base"

    return PartialRevision(
        name,
        script.revision,
        direction,
        target,
        statements.applied,
        statements.failed,
        statements.interrupted,
        statements.uncertain,
    )


def save(env: Environment, partial: PartialRevision) -> bool:
    """Record a half-applied revision for the next migrator.

    :return: Whether it is half applied, as far as is known.
    """
    connection = env.connection(partial.database)

    try:
        if is_usable(connection):
            connection.rollback()

        # An interrupted connection may not be able to execute anything.
        with env.databases.connect(partial.database) as other:
            return _record_of(env, partial.database, other).write(partial)
    except Exception as e:
        log.warning("Cannot record the failure: %s. %s", first_line(e), partial)
        return True


def _record_of(
    env: Environment, name: str, connection: sa.Connection | None = None
) -> HalfAppliedRecord:
    return HalfAppliedRecord(
        connection or env.connection(name),
        env.version_table,
        env.version_schema(name),
    )


class HalfAppliedRecord:
    """The table that records a half-applied revision. It exists only while there is
    one.

    :param connection: A connection to the database.
    :param version_table: The name of the version table.
    :param schema: The schema of the version table, if one is configured.
    """

    def __init__(
        self, connection: sa.Connection, version_table: str, schema: str | None
    ) -> None:
        self._connection = connection
        self._versions = sa.table(
            version_table, sa.column("version_num", sa.String), schema=schema
        )
        self._table = sa.Table(
            partial_table(version_table),
            sa.MetaData(),
            # Some servers require a primary key. It fits in every row format.
            sa.Column("revision", sa.String(191), primary_key=True),
            sa.Column("details", sa.Text(_MAX_LENGTH), nullable=False),
            schema=schema,
        )

    def read(self, database: str, heads: c.Iterable[str]) -> PartialRevision | None:
        """Return the half-applied revision, if there is one.

        :param database: The name of the database.
        :param heads: The ids of the revisions that the database is at. If they have
            changed since the failure, the user has stamped the database.
        """
        if not self.exists():
            return None

        details = self._connection.scalar(sa.select(self._table.c.details))
        found: dict[str, t.Any] = json.loads(details) if details else {"heads": None}

        if found.pop("heads") != sorted(heads):
            return None

        for name in "applied", "uncertain":
            found[name] = tuple(found[name])

        return PartialRevision(database, **found)

    def exists(self) -> bool:
        """Return whether the table exists."""
        inspector = sa.inspect(self._connection)
        return inspector.has_table(self._table.name, self._table.schema)

    def write(self, partial: PartialRevision) -> bool:
        """Record a revision, and commit.

        :return: Whether it is half applied. It is not if its commit went through after
            all, so that the version table has it.
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
        """Drop the table."""
        self._table.drop(self._connection, checkfirst=True)
