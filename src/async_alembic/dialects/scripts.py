"""How statements stand in a file, for the client program of a database to execute."""

from __future__ import annotations

import collections.abc as c
import typing as t

if t.TYPE_CHECKING:
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

    def after(self, place: Place, table: str) -> c.Iterator[str]:
        """Yield what comes after the revisions."""
        yield from ()

    def terminated(self, statement: str) -> str:
        """Return a statement with what ends it."""
        return f"{statement};"
