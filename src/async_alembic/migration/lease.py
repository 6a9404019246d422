"""A lease: a row that says who migrates, for databases without a lock that all of their
servers share.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import socket
import time
import typing as t
import uuid

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError

from ..dialects.companion_tables import lease_table
from ..dialects.locks import MigrationLock
from ..dialects.migrated import is_usable
from ..errors import first_line
from ..errors import LockLostError
from ..errors import LockUnavailableError
from ..results import LockHolder

if t.TYPE_CHECKING:
    from .environment import Environment

#: How often the owner renews its lease, in seconds.
BEAT_INTERVAL = 5.0
#: How long a lease outlives its last renewal, in seconds.
TIME_TO_LIVE = 30.0
#: The owner stops this long before others may take over, in seconds.
MARGIN = 5.0


class Lease(MigrationLock):
    """The row of the table ``alembic_version_lease``.

    The owner renews it beside the work, each time on another connection, as the
    migrating one is in a transaction. Who waits watches it, and takes it over if it has
    not been renewed for :data:`TIME_TO_LIVE`. Nobody compares clocks.

    :param env: The open databases.
    :param name: The name of the database.
    """

    advice: t.ClassVar[str] = (
        f"Its lease was not renewed for {TIME_TO_LIVE - MARGIN:.0f} seconds: check"
        " whether the database or this machine was stalled"
    )

    def __init__(self, env: Environment, name: str) -> None:
        # All migrators lock several databases in the order of their names.
        self.key = name
        self._databases = env.databases
        self._name = name
        self._connection = env.idle_connection(name)
        self._is_blocked = env.dialect(name).is_blocked
        self._table = sa.Table(
            lease_table(env.version_table),
            sa.MetaData(),
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("owner", sa.String(32), nullable=False),
            sa.Column("host", sa.String(255), nullable=False),
            sa.Column("pid", sa.Integer, nullable=False),
            sa.Column("since", sa.DateTime, nullable=False),
            sa.Column("heartbeat", sa.DateTime, nullable=False),
            sa.Column("beats", sa.Integer, nullable=False),
            schema=env.version_schema(name),
        )
        self._owner = uuid.uuid4().hex
        self._seen: tuple[str, int] | None = None
        self._seen_at = 0.0
        self._beaten_at = 0.0
        self._is_lost = False
        self._has_failed = False
        self._renewing = contextlib.ExitStack()

    def acquire(self) -> bool:
        if not self._write_row():
            return False

        self._beaten_at = time.monotonic()

        try:
            self._renew()
        except Exception as e:
            self._delete_row()
            raise LockUnavailableError(
                "a lease needs a second connection, for its heartbeats, which failed:"
                f" {first_line(e)}"
            ) from e

        event.listen(self._connection, "before_cursor_execute", self._stop_if_lost)
        self._renewing.callback(
            event.remove, self._connection, "before_cursor_execute", self._stop_if_lost
        )
        self._renewing.enter_context(
            self._databases.repeated(self._name, self._beat, BEAT_INTERVAL)
        )
        return True

    def is_held(self) -> bool:
        if self._age() > BEAT_INTERVAL:
            with contextlib.suppress(Exception):
                self._renew()

        return not self._has_expired()

    def release(self) -> None:
        self._renewing.close()

        # Otherwise, it ends when its time is over.
        if is_usable(self._connection):
            self._connection.rollback()
            self._delete_row()

    def holder(self) -> LockHolder | None:
        with self._connection.begin():
            if not self._exists():
                return None

            row = self._connection.execute(sa.select(self._table)).one_or_none()

        if row is None:
            return None

        since = row.since.replace(tzinfo=dt.UTC)
        return LockHolder(row.pid, address=row.host, since=since)

    def _write_row(self) -> bool:
        """Write the row, unless another migrator has it.

        :return: Whether this one has it now.
        :raises LockUnavailableError: If writing fails, again and again.
        """
        try:
            self._create_table()

            with self._connection.begin():
                is_written = self._claim(self._read())

            with self._connection.begin():
                found = self._read()
        except DBAPIError as e:
            if e.connection_invalidated:
                raise

            self._connection.rollback()
            is_race = isinstance(e, IntegrityError) or (
                e.orig is not None and self._is_blocked(e.orig)
            )

            # Some drivers have other errors for a table or row that somebody else has
            # just written. An error that means anything else is repeated.
            if not is_race and self._has_failed:
                raise LockUnavailableError(first_line(e)) from e

            self._has_failed = not is_race
            return False

        self._has_failed = False
        return is_written and found is not None and found[0] == self._owner

    def _create_table(self) -> None:
        with self._connection.begin():
            if not self._exists():
                self._table.create(self._connection)

    def _exists(self) -> bool:
        inspector = sa.inspect(self._connection)
        return inspector.has_table(self._table.name, self._table.schema)

    def _read(self) -> tuple[str, int] | None:
        query = sa.select(self._table.c.owner, self._table.c.beats)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else (row[0], row[1])

    def _claim(self, found: tuple[str, int] | None) -> bool:
        """Write the row, unless somebody else has it.

        :param found: The owner and the number of its beats.
        """
        now = _now()
        values = {
            "owner": self._owner,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": now,
            "heartbeat": now,
            "beats": 0,
        }

        if found is None:
            self._connection.execute(self._table.insert().values(id=1, **values))
            return True

        if found != self._seen:
            self._seen, self._seen_at = found, time.monotonic()

        if time.monotonic() - self._seen_at < TIME_TO_LIVE:
            return False

        owner, beats = found
        columns = self._table.c
        self._connection.execute(
            self._table.update()
            .where(columns.owner == owner, columns.beats == beats)
            .values(**values)
        )
        return True

    def _renew(self) -> None:
        with self._databases.connect(self._name) as connection:
            self._beat(connection)

    def _beat(self, connection: sa.Connection) -> None:
        columns = self._table.c
        started = time.monotonic()

        with connection.begin():
            connection.execute(
                self._table.update()
                .where(columns.owner == self._owner)
                .values(beats=columns.beats + 1, heartbeat=_now())
            )

        with connection.begin():
            if connection.scalar(sa.select(columns.owner)) == self._owner:
                self._beaten_at = started
            else:
                self._is_lost = True

    def _delete_row(self) -> None:
        with self._connection.begin():
            self._connection.execute(
                self._table.delete().where(self._table.c.owner == self._owner)
            )

    def _stop_if_lost(self, *args: object) -> None:
        if self._has_expired():
            raise LockLostError(self._name, self.advice)

    def _has_expired(self) -> bool:
        return self._is_lost or self._age() > TIME_TO_LIVE - MARGIN

    def _age(self) -> float:
        return time.monotonic() - self._beaten_at


def _now() -> dt.datetime:
    """Return the time in UTC, without a time zone, which some databases cannot keep."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)
