"""How statements stand in a file, for the client program of a database to execute."""

from __future__ import annotations

import collections.abc as c
import typing as t

if t.TYPE_CHECKING:
    import datetime as dt

    import sqlalchemy as sa

    from .place import Place
    from .place import Setting


class ScriptStyle:
    """The style of a database without special needs."""

    #: The command that executes a file, and stops at the first error.
    command: str | None = None
    #: Whether CREATE TABLE can have IF NOT EXISTS.
    creates_if_missing: bool = False
    #: Begins a transaction.
    begin: str = "BEGIN"

    def prepare(self, dialect: sa.Dialect) -> None:
        """Let a dialect write literals as the server reads them. It has not connected,
        so that it has not asked the server.
        """

    def setting(self, name: str, value: Setting) -> str:
        """Return a statement that changes a setting of the session."""
        raise NotImplementedError

    def before(self, place: Place, table: str) -> c.Iterator[str]:
        """Yield what comes before the revisions: the lock, or a failure without it.

        :param place: Where the version table is.
        :param table: The name of the version table.
        """
        yield from ()

    def check_start(self, versions: str, start: tuple[str, ...]) -> c.Iterator[str]:
        """Yield statements that fail unless the database is where the script starts.

        :param versions: The version table, as in SQL.
        :param start: The ids of the revisions; at least one.
        """
        yield from ()

    def after(self, place: Place, table: str) -> c.Iterator[str]:
        """Yield what comes after the revisions."""
        yield from ()

    def bytes_literal(self, value: bytes) -> str:
        """Return the literal of bytes."""
        return f"X'{value.hex()}'"

    def interval(self, value: dt.timedelta) -> str | None:
        """Return the text of a duration, if the database has a type for it."""
        return None

    def terminated(self, statement: str) -> str:
        """Return a statement with what ends it."""
        # A comment at the end would go on.
        _, _, last = statement.rpartition("\n")
        return f"{statement}\n;" if "--" in last else f"{statement};"


def quoted(text: str) -> str:
    """Return the literal of a text, where a backslash is one."""
    return "'" + text.replace("'", "''") + "'"


def is_at(versions: str, start: tuple[str, ...]) -> str:
    """Return a condition for a version table to have these ids and no others."""
    ids = ", ".join(map(quoted, start))
    return (
        f"(SELECT count(*) = {len(start)}"
        f" AND sum(CASE WHEN version_num IN ({ids}) THEN 1 ELSE 0 END) = {len(start)}"
        f" FROM {versions})"
    )
