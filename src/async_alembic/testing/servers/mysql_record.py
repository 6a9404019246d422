"""What makes a database anew, as a list of statements."""

from __future__ import annotations

import collections.abc as c
import typing as t

if t.TYPE_CHECKING:
    from ..server_connection import ServerConnection

#: How the server shows each kind, and which columns have the mode and the text.
_COLUMNS = {
    "PROCEDURE": (1, 2),
    "FUNCTION": (1, 2),
    "TRIGGER": (1, 2),
    "EVENT": (1, 3),
}


def read_record(connection: ServerConnection, database: str) -> list[str]:
    """Read the statements that make a database as this one is.

    :param connection: A connection that stays in the database.
    :param database: Its name.
    :return: Texts to be formatted with ``name``, the database to make, and ``source``,
        where to take rows from.
    """
    return list(_Reader(connection, database).statements())


class _Reader:
    def __init__(self, connection: ServerConnection, database: str) -> None:
        self._connection = connection
        self._database = database
        connection.execute(f"USE `{database}`")

    def statements(self) -> c.Iterator[str]:
        [(charset, collation)] = self._connection.execute(
            "SELECT default_character_set_name, default_collation_name"
            " FROM information_schema.schemata WHERE schema_name = DATABASE()"
        )
        yield f"CREATE DATABASE `{{name}}` CHARACTER SET {charset} COLLATE {collation}"
        yield "USE `{name}`"
        kinds = self._connection.execute("SHOW FULL TABLES")
        tables = [name for name, kind in kinds if kind == "BASE TABLE"]
        yield from self._routines("FUNCTION")
        yield from self._routines("PROCEDURE")

        for name in [name for name, kind in kinds if kind == "SEQUENCE"]:
            yield from self._sequence(name)

        for table in tables:
            yield self._plain(self._show("TABLE", table)[1])

        for table in tables:
            yield from self._rows(table)

        for view in self._views():
            yield self._plain(self._show("VIEW", view)[1])

        # Only now, so that they do nothing with the rows.
        yield from self._routines("TRIGGER")
        yield from self._routines("EVENT")

    def _show(self, kind: str, name: str) -> tuple[t.Any, ...]:
        return self._connection.execute(f"SHOW CREATE {kind} {_quote(name)}")[0]

    def _plain(self, text: str) -> str:
        """A text that is to be formatted, with no word of where it came from."""
        text = text.replace(f"`{self._database}`.", "")
        return text.replace("{", "{{").replace("}", "}}")

    def _sequence(self, name: str) -> c.Iterator[str]:
        yield self._plain(self._show("TABLE", name)[1])
        [(value,)] = self._connection.execute(
            f"SELECT next_not_cached_value FROM {_quote(name)}"
        )
        yield self._plain(f"SELECT SETVAL({_quote(name)}, {value}, 0)")

    def _rows(self, table: str) -> c.Iterator[str]:
        if not self._connection.execute(f"SELECT 1 FROM {_quote(table)} LIMIT 1"):
            return

        columns = self._connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = :table"
            " AND COALESCE(generation_expression, '') = '' ORDER BY ordinal_position",
            table=table,
        )
        listed = self._plain(", ".join(_quote(name) for (name,) in columns))
        quoted = self._plain(_quote(table))
        yield (
            f"INSERT INTO {quoted} ({listed})"
            f" SELECT {listed} FROM `{{source}}`.{quoted}"
        )

    def _views(self) -> list[str]:
        """The views, each after those that it selects from."""
        rows = self._connection.execute(
            "SELECT table_name, view_definition FROM information_schema.views"
            " WHERE table_schema = DATABASE() ORDER BY table_name"
        )
        left = {name: str(definition) for name, definition in rows}
        ordered: list[str] = []

        while left:
            ready = [
                name
                for name, definition in left.items()
                if not any(_quote(o) in definition for o in left if o != name)
            ]
            # What mentions another one only as the name of a column.
            ordered += ready or list(left)
            left = {name: text for name, text in left.items() if name not in ordered}

        return ordered

    def _routines(self, kind: str) -> c.Iterator[str]:
        lists = {
            "PROCEDURE": "SELECT routine_name FROM information_schema.routines"
            " WHERE routine_schema = DATABASE() AND routine_type = 'PROCEDURE'",
            "FUNCTION": "SELECT routine_name FROM information_schema.routines"
            " WHERE routine_schema = DATABASE() AND routine_type = 'FUNCTION'",
            "TRIGGER": "SELECT trigger_name FROM information_schema.triggers"
            " WHERE trigger_schema = DATABASE() ORDER BY action_order, trigger_name",
            "EVENT": "SELECT event_name FROM information_schema.events"
            " WHERE event_schema = DATABASE()",
        }

        for (name,) in self._connection.execute(lists[kind]):
            mode, text = _COLUMNS[kind]
            shown = self._show(kind, name)
            # It is what the text was written in, and kept with it.
            yield "SET @async_alembic_mode = @@SESSION.sql_mode"
            yield f"SET SESSION sql_mode = '{shown[mode]}'"
            yield self._plain(shown[text])
            yield "SET SESSION sql_mode = @async_alembic_mode"


def _quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
