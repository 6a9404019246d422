"""Files that psql executes."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..base import Place
from ..base import Setting
from ..locks import digest
from ..scripts import is_at
from ..scripts import quoted
from ..scripts import ScriptStyle
from .advisory_locks import to_number

if t.TYPE_CHECKING:
    import datetime as dt

    import sqlalchemy as sa


class PostgreSQLScript(ScriptStyle):
    command: str | None = "psql -X -v ON_ERROR_STOP=1 -f FILE"
    creates_if_missing: bool = True

    def prepare(self, dialect: sa.Dialect) -> None:
        # There is no public way. SQLAlchemy asks for standard_conforming_strings, which
        # is on since PostgreSQL 9.1, when it connects.
        t.cast("t.Any", dialect)._backslash_escapes = False

    def setting(self, name: str, value: Setting) -> str:
        # SET would take a list as one name.
        return f"SELECT set_config({quoted(name)}, {quoted(str(value))}, false)"

    def bytes_literal(self, value: bytes) -> str:
        return f"'\\x{value.hex()}'::bytea"

    def interval(self, value: dt.timedelta) -> str:
        # One in hours is another value for the server than one in days.
        seconds = f"{value.seconds}.{value.microseconds:06}"
        return f"{value.days} days {seconds} seconds"

    def check_start(self, versions: str, start: tuple[str, ...]) -> c.Iterator[str]:
        yield (
            f"DO $$BEGIN IF NOT {is_at(versions, start)} THEN RAISE EXCEPTION"
            f" 'The database is not at %.', {quoted(', '.join(start))}; END IF; END$$"
        )

    def before(self, place: Place, table: str) -> c.Iterator[str]:
        yield "SET client_encoding = 'UTF8'"
        key = _key(place, table)
        # Waiting would hold a snapshot, for which CREATE INDEX CONCURRENTLY waits.
        yield (
            f"DO $$BEGIN IF NOT pg_try_advisory_lock({key}) THEN"
            " RAISE EXCEPTION 'Another migration is running.'; END IF; END$$"
        )

    def after(self, place: Place, table: str) -> c.Iterator[str]:
        yield f"DO $$BEGIN PERFORM pg_advisory_unlock({_key(place, table)}); END$$"


def _key(place: Place, table: str) -> int:
    return to_number(digest(place.database, place.schema or "public", table))
