"""Results of methods, and data that errors and signals carry."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

if t.TYPE_CHECKING:
    import datetime as dt

    from alembic.script import Script

T = t.TypeVar("T")
State: t.TypeAlias = t.Literal["current", "behind", "ahead", "diverged", "empty"]


@dataclasses.dataclass(frozen=True)
class DatabaseStatus:
    """The state of one database, compared with the revision files. The last two are
    ``None`` unless ``details`` are asked for.

    :param state: ``"current"``: at all heads. ``"behind"``: revisions are pending.
        ``"empty"``: no revision is applied, and some are pending. ``"ahead"``: at
        revisions that this code does not have. ``"diverged"``: both ahead and behind.
    :param current: The ids of the database's current revisions.
    :param unknown: The ids in ``current`` that this code does not have.
    :param heads: The ids of the heads of the revision files.
    :param pending: The revisions that an upgrade would apply, in order.
    :param lock_holder: Who is migrating the database now.
    :param partial: The revision that an earlier migration left half applied.
    """

    state: State
    current: tuple[str, ...]
    unknown: tuple[str, ...]
    heads: tuple[str, ...]
    pending: tuple[Script, ...]
    lock_holder: LockHolder | None = None
    partial: PartialRevision | None = None


@dataclasses.dataclass(frozen=True)
class TenantResult(t.Generic[T]):
    """What a method has done for one of many tenants.

    :param tenant: The name of the tenant.
    :param value: What the same method returns for one tenant; ``None`` if it failed.
    :param seconds: How long it took, in seconds.
    :param error: Why it failed. If no connection can be made to its server, it is the
        error of the last tenant of that server that was tried.
    """

    tenant: str
    value: T | None = None
    seconds: float = 0.0
    error: Exception | None = None

    @property
    def applied(self) -> tuple[Script, ...]:
        """The revisions that were applied, or reverted."""
        # What was stamped is no list.
        return tuple(self.value) if isinstance(self.value, list) else ()


#: The results of tenants, each as soon as it is there.
TenantResults: t.TypeAlias = c.AsyncGenerator[TenantResult[T], None]
BlockingTenantResults: t.TypeAlias = c.Generator[TenantResult[T], None, None]


@dataclasses.dataclass(frozen=True)
class Change:
    """What a new revision changes.

    :param database: The name of the database.
    :param description: What is changed, such as ``"remove column user.name"``.
    :param losses: Why it loses data, or may lose data.
    """

    database: str
    description: str
    losses: tuple[DataLoss, ...] = ()


@dataclasses.dataclass(frozen=True)
class MoveIn:
    """What an app that moves in has to set.

    :param settings: The code of the settings, such as ``ALEMBIC_CONTEXT = {...}``;
        empty if there is nothing to set.
    :param by_hand: What cannot be carried over, and where it stands.
    :param before: How the models differ from the databases now, one text for each
        difference; ``None`` if the databases are not at head.
    :param after: How they differ with the settings.
    :param path: The file that the settings were written to.
    """

    settings: str
    by_hand: tuple[str, ...]
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None
    path: str | None = None


@dataclasses.dataclass(frozen=True)
class Squash:
    """What :meth:`.Alembic.squash` has done.

    :param revision: The id of the revision that replaces others.
    :param replaced: The ids of those, with its own.
    :param path: The path of its file.
    :param removed: The paths of the files that were removed.
    """

    revision: str
    replaced: tuple[str, ...]
    path: str
    removed: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Adoption:
    """What :meth:`.Alembic.adopt` has found in a database, and done.

    :param outcome: ``"upgraded"``: it was empty. ``"stamped"``: it was equal to the
        models. ``"different"``: it is neither, and nothing was written. ``"managed"``:
        it is under migrations already, and nothing was written.
    :param revisions: The ids of the revisions that it is at now.
    :param differences: How the models differ from it, one text for each difference.
    :param unknown_tables: Its tables that are in no model.
    """

    outcome: t.Literal["upgraded", "stamped", "different", "managed"]
    revisions: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    unknown_tables: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Rebase:
    """What :meth:`.Alembic.rebase` has done.

    :param revisions: The ids of the revisions that have other parents now.
    :param onto: The id of the revision that they are on top of; ``None`` if there was
        nothing to do.
    :param head_files: The paths of the ``head`` files that were corrected.
    """

    revisions: tuple[str, ...] = ()
    onto: str | None = None
    head_files: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class LockHolder:
    """A database session that holds a lock another session waits for. Attributes that
    the database does not report are ``None``.

    :param pid: The id of the session on the server, or of a process on this machine.
    :param application_name: The session's application name, or its user name.
    :param address: The client's address.
    :param since: When the session acquired the lock or began its transaction.
    :param query: The session's last statement.
    :param is_idle: Whether the session is idle outside of a transaction. A pooler may
        have kept it open for a client that is gone.
    """

    pid: int
    application_name: str | None = None
    address: str | None = None
    since: dt.datetime | None = None
    query: str | None = None
    is_idle: bool = False

    def __str__(self) -> str:
        parts = [f"pid {self.pid}"]

        if self.application_name:
            parts.append(f"application '{self.application_name}'")

        if self.address:
            parts.append(f"from {self.address}")

        if self.since:
            parts.append(f"since {self.since.isoformat(' ', 'seconds')}")

        if self.is_idle:
            parts.append("idle")

        if self.query:
            parts.append(f"query [{' '.join(self.query.split())[:200]}]")

        return ", ".join(parts)


@dataclasses.dataclass(frozen=True)
class PartialRevision:
    """A revision that is half applied, or half reverted.

    :param database: The name of the engine, such as ``"default"``.
    :param revision: The id of the revision.
    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param target: The revision to stamp after finishing the revision by hand.
    :param applied: The statements that were applied, in order, each up to 2,000
        characters. Any other statement was rolled back.
    :param failed: The statement that failed, or ``None`` if no statement failed.
    :param interrupted: Whether the revision was interrupted, so that it is unknown
        whether ``failed``, or whichever statements came next, were applied.
    :param uncertain: The statements before ``failed`` that it commits. They are applied
        only if ``failed`` is.
    :param resumable: Whether the revision can be resumed.
    """

    database: str
    revision: str
    direction: str
    target: str
    applied: tuple[str, ...]
    failed: str | None
    interrupted: bool = False
    uncertain: tuple[str, ...] = ()
    resumable: bool = True

    def __str__(self) -> str:
        half = "applied" if self.direction == "upgrade" else "reverted"
        applied = _format_statements(self.applied) or "none known"
        resume = (
            f"Run 'db {self.direction} --resume' to continue after these statements,"
            " finish"
        )
        return (
            f"Revision {self.revision} is half {half}, because DDL statements commit"
            f" implicitly in database '{self.database}'. Applied:"
            f" {applied}{self._describe_failure()}."
            f" {resume if self.resumable else 'Finish'} the revision by hand and run"
            f" 'db stamp {self.target}', or undo it by hand and run"
            f" 'db {self.direction} --retry'."
        )

    def _describe_failure(self) -> str:
        failed = ""

        if self.failed:
            failed = f"; failed: {_format_statement(self.failed)}"

            if self.interrupted:
                failed += ", which was interrupted and may also be applied"

            if self.uncertain:
                failed += f", together with {_format_statements(self.uncertain)}"
        elif self.uncertain:
            failed = f"; may also be applied: {_format_statements(self.uncertain)}"
        elif self.interrupted:
            failed = "; the next statements may also be applied, up to one that commits"

        return failed


@dataclasses.dataclass(frozen=True)
class DataLoss:
    """Why an operation loses data.

    :param reason: What it does, such as ``"drops the table 'user' with its rows"``.
    :param is_certain: Whether it is known to lose what is there. If false, that depends
        on what only the database knows, such as what SQL does.
    """

    reason: str
    is_certain: bool = True


@dataclasses.dataclass(frozen=True)
class AppliedRevision:
    """A revision that was run, as ``ALEMBIC_AUDIT`` records it.

    :param database: The name of the database.
    :param revision: The id of the revision.
    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param applied_at: When, in UTC.
    :param seconds: How long it took, in seconds.
    :param user: The user of the operating system, empty if it has no name.
    :param host: The name of the machine.
    :param application: The name of the app.
    :param code_version: ``ALEMBIC_CODE_VERSION``, or the commit of git.
    :param checksum: The SHA-256 of the revision file, in hexadecimal.
    :param is_edited: Whether the file was edited since the revision was last applied.
    """

    database: str
    revision: str
    direction: str
    applied_at: dt.datetime
    seconds: float
    user: str
    host: str
    application: str
    code_version: str | None
    checksum: str
    is_edited: bool


class Outcome(t.NamedTuple):
    """Where a database is after a migration was rolled back.

    :param before: The ids of the revisions that it was at before.
    :param now: The ids of the revisions that it is at; ``None`` if unknown.
    :param has_committed: Whether the revision that failed has committed a part of
        itself.
    """

    before: tuple[str, ...]
    now: tuple[str, ...] | None
    has_committed: bool = False

    @property
    def is_undone(self) -> bool:
        """Whether the database is known to be where it was before."""
        is_back = self.now is not None and {*self.now} == {*self.before}
        return is_back and not self.has_committed

    def __str__(self) -> str:
        text = "What was not committed was rolled back"
        at = ""

        if self.now is not None:
            at = f"; the database is at {', '.join(self.now) or 'base'}"

        if self.has_committed:
            text = "What the revision has committed itself stays applied; the rest was"
            return f"{text} rolled back{at}"

        if self.is_undone:
            return f"All of it was rolled back{at}, as before"

        return f"{text}{at}"


def _format_statements(statements: c.Iterable[str]) -> str:
    return ", ".join(map(_format_statement, statements))


def _format_statement(statement: str) -> str:
    return f"[{' '.join(statement.split())[:200]}]"
