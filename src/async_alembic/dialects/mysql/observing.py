"""Asks the server which algorithm it takes to change a table."""

from __future__ import annotations

import re
import typing as t

import sqlalchemy as sa

from ...plans import Observed
from ..observing import Observer

#: From the cheapest on. MySQL does not have NOCOPY.
_ALGORITHMS = ("INSTANT", "NOCOPY", "INPLACE", "COPY")
#: What takes a clause for it, and what separates them.
_CHANGES = {"ALTER TABLE": ", ", "CREATE INDEX": " ", "DROP INDEX": " "}
_COMMENTS = re.compile(
    r"\A(?:\s+|/\*(?!!).*?\*/|--\s.*?(?:\n|\Z)|#.*?(?:\n|\Z))+", re.S
)
#: The statement that takes the place of one that has been executed.
_DONE = "DO 0"


class MySQLObserver(Observer):
    """Executes a statement with each algorithm in turn. The server refuses those that
    it cannot take, and leaves everything as it is.
    """

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._error = connection.dialect.loaded_dbapi.Error
        self._algorithm: str | None = None

    def before(self, cursor: t.Any, statement: str, parameters: t.Any) -> str:
        self._algorithm = None
        separator = None if parameters else _separator(statement)

        if separator is None:
            return statement

        for algorithm in _ALGORITHMS:
            clause = f"{separator}ALGORITHM={algorithm}"

            try:
                cursor.execute(f"{statement.rstrip().rstrip(';')}{clause}")
            except self._error:
                # If the statement itself is wrong, it is executed as it is.
                continue

            self._algorithm = algorithm
            return _DONE

        return statement

    def after(self) -> Observed:
        return Observed(algorithm=self._algorithm)


def _separator(statement: str) -> str | None:
    words = _COMMENTS.sub("", statement).upper().split()
    words = [word for word in words[:3] if word not in {"UNIQUE", "FULLTEXT"}]
    return _CHANGES.get(" ".join(words[:2]))
