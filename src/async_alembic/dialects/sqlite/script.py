"""Files that sqlite3 executes."""

from __future__ import annotations

import collections.abc as c

from ..base import Place
from ..base import Setting
from ..scripts import ScriptStyle


class SQLiteScript(ScriptStyle):
    command: str | None = "sqlite3 -bail DATABASE < FILE"
    creates_if_missing: bool = True
    # The lock.
    begin: str = "BEGIN IMMEDIATE"

    def setting(self, name: str, value: Setting) -> str:
        text = str(value).replace("'", "''")
        return f"PRAGMA {name} = '{text}'"

    def before(self, place: Place, table: str) -> c.Iterator[str]:
        # While they are on, dropping a table deletes the rows that refer to it.
        yield "PRAGMA foreign_keys = OFF"
