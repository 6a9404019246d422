"""Files that sqlite3 executes."""

from __future__ import annotations

import collections.abc as c

from ..base import Place
from ..base import Setting
from ..scripts import is_at
from ..scripts import quoted
from ..scripts import ScriptStyle


class SQLiteScript(ScriptStyle):
    command: str | None = "sqlite3 -bail DATABASE < FILE"
    creates_if_missing: bool = True
    # The lock.
    begin: str = "BEGIN IMMEDIATE"

    def setting(self, name: str, value: Setting) -> str:
        return f"PRAGMA {name} = {quoted(str(value))}"

    def check_start(self, versions: str, start: tuple[str, ...]) -> c.Iterator[str]:
        yield "CREATE TEMP TABLE async_alembic_start (is_at_start CHECK (is_at_start))"
        yield f"INSERT INTO async_alembic_start SELECT {is_at(versions, start)}"
        yield "DROP TABLE async_alembic_start"

    def before(self, place: Place, table: str) -> c.Iterator[str]:
        # While they are on, dropping a table deletes the rows that refer to it.
        yield "PRAGMA foreign_keys = OFF"
