"""Who has a lock that is waited for."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    import datetime as dt


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
