"""Observes what a server does for the statements of a migration."""

from __future__ import annotations

import typing as t

from ..plans import Observed

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class Observer:
    """Observes the statements of a connection. This one sees nothing.

    :param connection: The connection that executes them.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def before(self, cursor: t.Any, statement: str, parameters: t.Any) -> str:
        """Called before a statement.

        :param cursor: The cursor that is to execute it.
        :return: What to execute.
        """
        return statement

    def after(self) -> Observed:
        """Return what the server has done for the statement that has been executed."""
        return Observed()

    def close(self) -> None:
        """Called at the end."""
