"""A database as the list of statements that recreate it."""

from __future__ import annotations

import collections.abc as c
import typing as t

if t.TYPE_CHECKING:
    from ..server_connection import ServerConnection

#: The positions of the SQL mode and of the statement in the row of ``SHOW CREATE ...``.
_SHOW_CREATE_COLUMNS = {
    "PROCEDURE": (1, 2),
    "FUNCTION": (1, 2),
    "TRIGGER": (1, 2),
    "EVENT": (1, 3),
}


def dump_database(connection: ServerConnection, database: str) -> list[str]:
    """Return the statements that recreate a database.

    :param connection: A connection. Afterwards, this database is its default one.
    :param database: The name of the database.
    :return: Format strings with the fields ``name``, the database to create, and
        ``source``, the database to copy rows from.
    """
    return list(_Dumper(connection, database).statements())


class _Dumper:
    def __init__(self, connection: ServerConnection, database: str) -> None:
        self._connection = connection
        self._database = database
        connection.execute(f"USE {quote(database)}")

    def statements(self) -> c.Iterator[str]:
        [(charset, collation)] = self._connection.execute(
            "SELECT default_character_set_name, default_collation_name"
            " FROM information_schema.schemata WHERE schema_name = DATABASE()"
        )
        yield f"CREATE DATABASE `{{name}}` CHARACTER SET {charset} COLLATE {collation}"
        yield "USE `{name}`"
        kinds = self._connection.execute("SHOW FULL TABLES")
        tables = [name for name, kind in kinds if kind == "BASE TABLE"]
        yield from self._stored_programs("FUNCTION")
        yield from self._stored_programs("PROCEDURE")

        for name in [name for name, kind in kinds if kind == "SEQUENCE"]:
            yield from self._create_sequence(name)

        for table in tables:
            yield self._format_string(self._show_create("TABLE", table)[1])

        for table in tables:
            yield from self._copy_rows(table)

        for view in self._ordered_views():
            yield self._format_string(self._show_create("VIEW", view)[1])

        # Last, so that triggers and events don't act on the copied rows.
        yield from self._stored_programs("TRIGGER")
        yield from self._stored_programs("EVENT")

    def _show_create(self, kind: str, name: str) -> tuple[t.Any, ...]:
        return self._connection.execute(f"SHOW CREATE {kind} {quote(name)}")[0]

    def _format_string(self, text: str) -> str:
        """Remove the name of the database and escape braces."""
        text = text.replace(f"{quote(self._database)}.", "")
        return text.replace("{", "{{").replace("}", "}}")

    def _create_sequence(self, name: str) -> c.Iterator[str]:
        yield self._format_string(self._show_create("TABLE", name)[1])
        [(value,)] = self._connection.execute(
            f"SELECT next_not_cached_value FROM {quote(name)}"
        )
        yield self._format_string(f"SELECT SETVAL({quote(name)}, {value}, 0)")

    def _copy_rows(self, table: str) -> c.Iterator[str]:
        if not self._connection.execute(f"SELECT 1 FROM {quote(table)} LIMIT 1"):
            return

        columns = self._connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = :table"
            " AND COALESCE(generation_expression, '') = '' ORDER BY ordinal_position",
            table=table,
        )
        listed = self._format_string(", ".join(quote(name) for (name,) in columns))
        quoted = self._format_string(quote(table))
        yield (
            f"INSERT INTO {quoted} ({listed})"
            f" SELECT {listed} FROM `{{source}}`.{quoted}"
        )

    def _ordered_views(self) -> list[str]:
        """Return the views, each after the views that it selects from."""
        rows = self._connection.execute(
            "SELECT table_name, view_definition FROM information_schema.views"
            " WHERE table_schema = DATABASE() ORDER BY table_name"
        )
        remaining = {name: str(definition) for name, definition in rows}
        ordered: list[str] = []

        while remaining:
            ready = [
                name
                for name, definition in remaining.items()
                if not any(quote(o) in definition for o in remaining if o != name)
            ]
            # A column can have the name of another view, which looks like a cycle.
            ordered += ready or list(remaining)
            remaining = {n: text for n, text in remaining.items() if n not in ordered}

        return ordered

    def _stored_programs(self, kind: str) -> c.Iterator[str]:
        queries = {
            "PROCEDURE": "SELECT routine_name FROM information_schema.routines"
            " WHERE routine_schema = DATABASE() AND routine_type = 'PROCEDURE'",
            "FUNCTION": "SELECT routine_name FROM information_schema.routines"
            " WHERE routine_schema = DATABASE() AND routine_type = 'FUNCTION'",
            "TRIGGER": "SELECT trigger_name FROM information_schema.triggers"
            " WHERE trigger_schema = DATABASE() ORDER BY action_order, trigger_name",
            "EVENT": "SELECT event_name FROM information_schema.events"
            " WHERE event_schema = DATABASE()",
        }

        for (name,) in self._connection.execute(queries[kind]):
            mode, statement = _SHOW_CREATE_COLUMNS[kind]
            row = self._show_create(kind, name)
            # The server stores the mode with the program and parses it in that mode.
            yield "SET @async_alembic_mode = @@SESSION.sql_mode"
            yield f"SET SESSION sql_mode = '{row[mode]}'"
            yield self._format_string(row[statement])
            yield "SET SESSION sql_mode = @async_alembic_mode"


def quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
