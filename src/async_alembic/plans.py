"""What an upgrade would do, as :meth:`.Alembic.plan` returns it."""

from __future__ import annotations

import dataclasses
import typing as t

from .results import DataLoss

if t.TYPE_CHECKING:
    import datetime as dt


@dataclasses.dataclass(frozen=True, order=True)
class TableLock:
    """A lock of a statement that others can wait for.

    :param table: The table, with its schema unless it is the default one.
    :param mode: The mode, such as ``"ACCESS EXCLUSIVE"``.
    """

    table: str
    mode: str


@dataclasses.dataclass(frozen=True)
class Observed:
    """What a server did for a statement, on a scratch copy.

    :param locks: The locks on tables that it took and did not have yet.
    :param rewritten: The tables and indexes whose files it wrote anew.
    :param scanned: The tables that it read row by row.
    :param algorithm: How it changed the table, such as ``"INSTANT"``.
    :param notices: What the server said.
    """

    locks: tuple[TableLock, ...] = ()
    rewritten: tuple[str, ...] = ()
    scanned: tuple[str, ...] = ()
    algorithm: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def copies_table(self) -> bool:
        """Whether all rows are copied into a new table, which blocks writes."""
        return self.algorithm == "COPY"


@dataclasses.dataclass(frozen=True)
class Finding:
    """What is to be considered before an upgrade.

    :param rule: The rule that names it, such as ``"loses-data"``.
    :param message: What it is.
    :param line: The line of the revision file, if it is known.
    """

    rule: str
    message: str
    line: int | None


@dataclasses.dataclass(frozen=True)
class PlannedStatement:
    """A statement of a plan.

    :param sql: The statement.
    :param action: What it does, as far as the operation says.
    :param line: The line of the revision file that executes it, if it is known.
    :param losses: Why it loses data.
    :param observed: What the server did for it; ``None`` without a trace.
    """

    sql: str
    action: str
    line: int | None = None
    losses: tuple[DataLoss, ...] = ()
    observed: Observed | None = None


@dataclasses.dataclass(frozen=True)
class PlannedRevision:
    """A revision that an upgrade would apply.

    :param revision: The id of the revision.
    :param message: The first line of its docstring.
    :param author: Who added the file, according to Git.
    :param date: When it was created, according to the file, or to Git.
    :param path: The path of the file.
    :param statements: The statements that it executes, in order.
    :param unknown: Why there are more, which only a trace knows.
    :param findings: What is to be considered, unless the revision allows it.
    """

    revision: str
    message: str
    author: str | None
    date: dt.datetime | None
    path: str
    statements: tuple[PlannedStatement, ...]
    unknown: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """What an upgrade would do to one database.

    :param current: The ids of the revisions that the database is at.
    :param revisions: The revisions that it would apply, in order.
    """

    current: tuple[str, ...]
    revisions: tuple[PlannedRevision, ...]
