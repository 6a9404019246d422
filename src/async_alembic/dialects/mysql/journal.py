"""The journal of a revision: how far it is, where DDL commits implicitly.

The table ``alembic_version_partial`` has a row for each transaction of the revision.
The row is inserted when the transaction begins, so that whatever commits the
transaction also commits the row. It tells an implicit commit from a rollback, even if
the process is killed. Once the transaction is committed, its statements are added.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import hashlib
import json
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ...results import PartialRevision
from ..journals import Journal
from ..journals import Recorded
from .responses import is_locked

#: A statement and its parameters.
Statement: t.TypeAlias = tuple[str, tuple[t.Any, ...]]
#: Fields of a :class:`.PartialRevision`.
Details: t.TypeAlias = dict[str, t.Any]
#: In characters.
_MAX_TEXT = 2000
#: The position of a row that only lives until its transaction is rolled back.
_PROBE = -1

#: It has changed something, or committed.
APPLIED = "applied"
#: It has changed nothing but the session, or has only read.
NEUTRAL = "neutral"
#: It has raised an error.
FAILED = "failed"
#: It has raised an error, but is a procedure that may have committed before.
UNKNOWN = "unknown"
#: It was rolled back, by a savepoint or by the revision.
UNDONE = "undone"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A statement of a revision.

    :param text: The beginning of the statement.
    :param digest: A hash of the statement and its parameters.
    :param kind: What it has done.
    :param rowcount: The number of rows, as the driver counts them.
    :param lastrowid: The last id that it has generated.
    :param has_rows: Whether it has returned rows.
    :param error: The code and the message of its error.
    """

    text: str
    digest: str
    kind: str = NEUTRAL
    rowcount: int = -1
    lastrowid: int | None = None
    has_rows: bool = False
    error: list[t.Any] | None = None

    @classmethod
    def of(cls, statement: str, parameters: t.Any) -> Entry:
        """Return the entry of a statement that has not been executed yet."""
        data = repr((statement, parameters)).encode(errors="surrogatepass")
        text = statement[:_MAX_TEXT]
        text += "..." if len(statement) > _MAX_TEXT else ""
        return cls(text, hashlib.blake2b(data, digest_size=16).hexdigest())

    def executed(self, cursor: t.Any, is_applied: bool) -> Entry:
        """Return the entry of a statement that has been executed.

        :param cursor: The cursor of the driver.
        :param is_applied: Whether it has changed something, or committed.
        """
        has_rows = cursor.description is not None
        return dataclasses.replace(
            self,
            kind=APPLIED if is_applied else NEUTRAL,
            rowcount=cursor.rowcount,
            lastrowid=None if has_rows else cursor.lastrowid,
            has_rows=has_rows,
        )


class MySQLJournal(Journal):
    """The table in the database.

    :param connection: A connection to the database.
    :param table: The name of the table.
    :param versions: The name of the version table.
    :param schema: The schema of both, if one is configured.
    """

    def __init__(
        self, connection: sa.Connection, table: str, versions: str, schema: str | None
    ) -> None:
        self._connection = connection
        self._name = table
        # A revision can change the session's default, with USE.
        self._schema = schema or connection.dialect.default_schema_name
        quote = connection.dialect.identifier_preparer.format_table
        self._table = quote(sa.table(table, schema=self._schema))
        self._versions = quote(sa.table(versions, schema=self._schema))
        self._is_mariadb = bool(getattr(connection.dialect, "is_mariadb", False))

    def exists(self) -> bool:
        return sa.inspect(self._connection).has_table(self._name, self._schema)

    def clear(self) -> None:
        # It would commit what could not be rolled back otherwise.
        self._execute("ROLLBACK")
        self._execute(f"DROP TABLE {self._table}")

    def read(self, database: str, heads: c.Collection[str] | None) -> Recorded | None:
        if not self.exists():
            return None

        result = self._execute(f"SELECT * FROM {self._table}")
        rows = [dict(row) for row in result.mappings()]

        if rows and "revision" in rows[0]:
            return _read_earlier_version(rows[0]["details"], database, heads)

        return _read({row.pop("position"): row for row in rows}, database, heads)

    def create(self) -> None:
        # Some servers require a primary key, and the rows must be rolled back.
        self._execute(
            f"CREATE TABLE IF NOT EXISTS {self._table} (position INTEGER NOT NULL"
            " PRIMARY KEY, details LONGTEXT, heads LONGTEXT) ENGINE=InnoDB"
        )

    def begin(self, details: Details, *, transaction: bool) -> None:
        """Begin the record of a revision, and its first transaction.

        :param details: What the record is of.
        :param transaction: Whether to begin a transaction, as in autocommit mode.
        """
        self._execute_all(
            [
                *_beginning(transaction),
                (f"DELETE FROM {self._table}", ()),
                (
                    f"INSERT INTO {self._table} SELECT 0, %s, GROUP_CONCAT(version_num"
                    f" SEPARATOR ' ') FROM {self._versions}",
                    (json.dumps(details),),
                ),
                self._insert(1),
            ]
        )

    def mark(self, position: int, *, transaction: bool) -> None:
        """Begin a transaction, and forget what an earlier attempt has left of it.

        :param position: The position of its first statement.
        """
        self._execute_all(
            [
                *_beginning(transaction),
                (f"DELETE FROM {self._table} WHERE position >= %s", (position,)),
                self._insert(position),
            ]
        )

    def write(
        self, position: int, entries: c.Sequence[Entry], *, transaction: bool
    ) -> bool:
        """Write the statements of a transaction that has ended, and begin the next one.

        :param position: The position of the first statement.
        :return: Whether it has committed. Otherwise, it was rolled back.
        """
        count = self._execute_all(
            [
                self._update(position, entries),
                ("COMMIT", ()),
                *_beginning(transaction),
                self._insert(position + len(entries)),
            ],
            counted=True,
        )

        if not count:
            self._execute("ROLLBACK")

        return bool(count)

    def add(self, position: int, entries: c.Sequence[Entry]) -> None:
        """Write the statements of a transaction before it is committed."""
        self._execute_all([self._update(position, entries)])

    def complete(self, position: int, entries: c.Sequence[Entry]) -> None:
        """Write the statements of a transaction that has committed, and no other one
        follows.
        """
        self.add(position, entries)
        self._execute("COMMIT")

    def update(self, details: Details) -> None:
        """Add to what the record is of, and commit."""
        text = self._execute(
            f"SELECT details FROM {self._table} WHERE position = 0"
        ).scalar()

        # An interrupted transaction can still lock the row that it replaces.
        if text and json.loads(text)["revision"] == details["revision"]:
            self._execute(
                f"UPDATE {self._table} SET details = %s WHERE position = 0",
                json.dumps(details),
            )

        self._execute("COMMIT")

    def is_open(self, position: int) -> bool:
        """Return whether a transaction was committed whose statements are unknown."""
        return bool(
            self._execute(
                f"SELECT 1 FROM {self._table} WHERE position = %s AND details IS NULL",
                position,
            ).all()
        )

    def probe(self, *, transaction: bool) -> None:
        """Begin a transaction to find out whether a statement commits."""
        self._execute("ROLLBACK")
        self.end_probe()
        self._execute_all([*_beginning(transaction), self._insert(_PROBE)])

    def has_committed(self) -> bool:
        """Return whether something has committed since the probe."""
        try:
            self._execute("ROLLBACK")
            return self.is_open(_PROBE)
        except DBAPIError as e:
            # It has locked tables, which commits.
            if not is_locked(e):
                raise

            return True

    def end_probe(self) -> None:
        """Forget the last probe, which may be of a process that was killed."""
        self._execute(f"DELETE FROM {self._table} WHERE position = %s", _PROBE)
        self._execute("COMMIT")

    def _insert(self, position: int) -> Statement:
        # What has begun a transaction may have committed the row already.
        return (
            f"REPLACE INTO {self._table} (position) VALUES (%s)",
            (position,),
        )

    def _update(self, position: int, entries: c.Sequence[Entry]) -> Statement:
        return (
            f"UPDATE {self._table} SET details = %s WHERE position = %s",
            (json.dumps([dataclasses.astuple(e) for e in entries]), position),
        )

    def _execute(self, statement: str, *parameters: t.Any) -> sa.CursorResult[t.Any]:
        return self._connection.exec_driver_sql(statement, parameters)

    def _execute_all(
        self, statements: c.Sequence[Statement], *, counted: bool = False
    ) -> int:
        """Execute statements, on MariaDB in one round trip.

        :param counted: Whether to return the number of rows that the first one changes.
        """
        if not self._is_mariadb:
            results = [self._execute(text, *args).rowcount for text, args in statements]
            return results[0]

        texts = [text for text, _ in statements]

        if counted:
            texts.insert(1, "SELECT ROW_COUNT()")

        result = self._execute(
            f"BEGIN NOT ATOMIC {'; '.join(texts)}; END",
            *(value for _, args in statements for value in args),
        )
        return int(result.scalar_one()) if counted else 0


def _beginning(transaction: bool) -> list[Statement]:
    return [("START TRANSACTION", ())] if transaction else []


def _read(
    rows: dict[int, dict[str, t.Any]], database: str, heads: c.Collection[str] | None
) -> Recorded | None:
    rows.pop(_PROBE, None)
    begin = rows.pop(0, None)

    if begin is None or _is_outdated((begin["heads"] or "").split(), heads):
        return None

    entries = _read_entries(rows)
    applied = tuple(entry.text for entry in entries if entry.kind == APPLIED)
    is_open = any(row["details"] is None for row in rows.values())

    if not is_open:
        # What follows has left nothing, such as the statement that has failed.
        while entries and entries[-1].kind not in {APPLIED, UNKNOWN}:
            entries.pop()

    if not entries and not is_open:
        return None

    details: Details = json.loads(begin["details"])
    uncertain = details.pop("uncertain", ())
    partial = PartialRevision(
        database,
        applied=applied,
        failed=details.pop("failed", None),
        interrupted=is_open,
        uncertain=tuple(uncertain) if is_open else (),
        **details,
    )
    return Recorded(partial, tuple(entries))


def _read_entries(rows: dict[int, dict[str, t.Any]]) -> list[Entry]:
    entries: list[Entry] = []

    for position, row in sorted(rows.items()):
        # What was resumed replaces the rest of an earlier attempt.
        del entries[position - 1 :]
        entries += [Entry(*values) for values in json.loads(row["details"] or "[]")]

    return entries


def _read_earlier_version(
    text: str, database: str, heads: c.Collection[str] | None
) -> Recorded | None:
    """Read a failure without statements that could be compared."""
    details: Details = json.loads(text)

    if _is_outdated(details.pop("heads"), heads):
        return None

    for name in "applied", "uncertain":
        details[name] = tuple(details.get(name, ()))

    return Recorded(PartialRevision(database, **details, resumable=False), ())


def _is_outdated(recorded: c.Collection[str], heads: c.Collection[str] | None) -> bool:
    return heads is not None and {*recorded} != {*heads}
