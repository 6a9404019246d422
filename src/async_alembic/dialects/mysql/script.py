"""Files that the clients of MySQL and MariaDB execute."""

from __future__ import annotations

import collections.abc as c

from ..base import digest
from ..base import Place
from ..base import Setting
from ..scripts import ScriptStyle
from .named_locks import lock_name


class MySQLScript(ScriptStyle):
    command: str | None = "mariadb DATABASE < FILE"
    creates_if_missing: bool = True

    def setting(self, name: str, value: Setting) -> str:
        text = value if isinstance(value, (int, float)) else _quoted(value)
        return f"SET SESSION {name} = {text}"

    def before(self, place: Place, table: str) -> c.Iterator[str]:
        # Outside of a procedure, only an error ends a script, such as a subquery of two
        # rows. DO would ignore it.
        yield (
            f"SET @async_alembic_lock = IF(GET_LOCK({_lock(place, table)}, 300), 1,"
            " (SELECT 'Another migration is running.' UNION SELECT 2))"
        )

    def after(self, place: Place, table: str) -> c.Iterator[str]:
        yield f"DO RELEASE_LOCK({_lock(place, table)})"

    def terminated(self, statement: str) -> str:
        if ";" not in statement:
            return f"{statement};"

        # The body of a trigger or a routine, or several statements.
        return f"DELIMITER $$\n{statement}\n$$\nDELIMITER ;"


def _lock(place: Place, table: str) -> str:
    # A schema is the same as a database.
    return _quoted(lock_name(digest(place.schema or place.database, table)))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
