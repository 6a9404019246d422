"""Files that the clients of MySQL and MariaDB execute."""

from __future__ import annotations

import collections.abc as c

from ..base import Place
from ..base import Setting
from ..locks import digest
from ..scripts import is_at
from ..scripts import quoted
from ..scripts import ScriptStyle
from .named_locks import lock_name


class MySQLScript(ScriptStyle):
    command: str | None = "mariadb DATABASE < FILE"
    creates_if_missing: bool = True

    def setting(self, name: str, value: Setting) -> str:
        text = value if isinstance(value, (int, float)) else _quoted(value)
        return f"SET SESSION {name} = {text}"

    def check_start(self, versions: str, start: tuple[str, ...]) -> c.Iterator[str]:
        yield _require(is_at(versions, start), "The database is not where this starts.")

    def before(self, place: Place, table: str) -> c.Iterator[str]:
        # The client has another one by default.
        yield "SET NAMES utf8mb4"
        yield _require(
            f"GET_LOCK({_lock(place, table)}, 300)", "Another migration is running."
        )

    def after(self, place: Place, table: str) -> c.Iterator[str]:
        yield f"DO RELEASE_LOCK({_lock(place, table)})"

    def terminated(self, statement: str) -> str:
        if ";" not in statement:
            return super().terminated(statement)

        # The body of a trigger or a routine, or several statements.
        return f"DELIMITER $$\n{statement}\n$$\nDELIMITER ;"


def _require(condition: str, message: str) -> str:
    """Return a statement that fails unless a condition is true. Outside of a procedure,
    only an error ends a script, such as a subquery of two rows. DO would ignore it.
    """
    rows = f"(SELECT {_quoted(message)} UNION SELECT 2)"
    return f"SET @async_alembic = IF({condition}, 1, {rows})"


def _lock(place: Place, table: str) -> str:
    # A schema is the same as a database.
    return _quoted(lock_name(digest(place.schema or place.database, table)))


def _quoted(text: str) -> str:
    return quoted(text.replace("\\", "\\\\"))
