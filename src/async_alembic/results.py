"""What the methods return, and errors and events carry."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

if t.TYPE_CHECKING:
    import datetime as dt

    from alembic.script import Script

State: t.TypeAlias = t.Literal["current", "behind", "ahead", "diverged", "empty"]


@dataclasses.dataclass(frozen=True)
class DatabaseStatus:
    """Where one database stands, compared with the revision files.

    :param state: ``"current"``: at every head. ``"behind"``: revisions are pending.
        ``"empty"``: no revision was ever applied, and some are pending. ``"ahead"``:
        at revisions that this code does not have. ``"diverged"``: both ahead and
        behind.
    :param current: The ids of the revisions that the database is at.
    :param unknown: Those among them that this code does not have.
    :param heads: The ids of the heads of the revision files.
    :param pending: The revisions that an upgrade would apply, in that order.
    """

    state: State
    current: tuple[str, ...]
    unknown: tuple[str, ...]
    heads: tuple[str, ...]
    pending: tuple[Script, ...]


@dataclasses.dataclass(frozen=True)
class LockHolder:
    """A session of a database that has a lock which is waited for. What the database
    does not tell is ``None``.

    :param pid: The id of the session on the server, or of its process on this machine.
    :param application_name: What it calls itself, or the name of its user.
    :param address: The address that it comes from.
    :param since: Since when it has the lock, or is in its transaction.
    :param query: Its last statement.
    """

    pid: int
    application_name: str | None = None
    address: str | None = None
    since: dt.datetime | None = None
    query: str | None = None

    def __str__(self) -> str:
        parts = [f"pid {self.pid}"]

        if self.application_name:
            parts.append(f"application '{self.application_name}'")

        if self.address:
            parts.append(f"from {self.address}")

        if self.since:
            parts.append(f"since {self.since.isoformat(' ', 'seconds')}")

        if self.query:
            parts.append(f"query [{' '.join(self.query.split())[:200]}]")

        return ", ".join(parts)


@dataclasses.dataclass(frozen=True)
class PartialRevision:
    """A revision that is half applied, or half taken back.

    :param database: The name of the engine, such as ``"default"``.
    :param revision: The id of the revision.
    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param target: What to stamp when it was finished by hand.
    :param applied: The statements that were applied, in that order. What is not among
        them was rolled back.
    :param failed: The statement that failed; ``None`` if it was no statement.
    :param interrupted: Whether that one was broken off, so that it is not known whether
        it was applied.
    :param uncertain: The statements before it that it commits, and that are applied
        only if it is.
    """

    database: str
    revision: str
    direction: str
    target: str
    applied: tuple[str, ...]
    failed: str | None
    interrupted: bool = False
    uncertain: tuple[str, ...] = ()

    def __str__(self) -> str:
        half = "applied" if self.direction == "upgrade" else "taken back"
        applied = _listed(self.applied) or "none for certain"
        failed = ""

        if self.failed:
            failed = f"; failed: {_shortened(self.failed)}"

            if self.interrupted:
                failed += ", which was broken off and may be applied as well"

            if self.uncertain:
                failed += f", together with {_listed(self.uncertain)}"

        return (
            f"Revision {self.revision} is half {half}, as database '{self.database}'"
            f" commits at every DDL statement. Applied: {applied}{failed}. Finish it by"
            f" hand and run 'db stamp {self.target}', or undo it by hand and run"
            f" 'db {self.direction} --retry'."
        )


@dataclasses.dataclass(frozen=True)
class Progress:
    """A revision that is being applied, or was.

    :param database: The name of the database.
    :param several: Whether there are other databases.
    :param script: The revision.
    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param seconds: How long it took, or ``None`` when it begins.
    """

    database: str
    several: bool
    script: Script
    direction: str
    seconds: float | None = None


Report: t.TypeAlias = c.Callable[[Progress], None]


def _listed(statements: c.Iterable[str]) -> str:
    return ", ".join(map(_shortened, statements))


def _shortened(statement: str) -> str:
    return f"[{' '.join(statement.split())[:200]}]"
