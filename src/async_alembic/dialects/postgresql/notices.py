"""What a server says beside the results of statements."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa


class _NoticeList(list[str]):
    """Where psycopg2 puts notices, with their severity before them.

    :param found: Gets a copy of each.
    """

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self._found = found

    def append(self, text: str) -> None:
        super().append(text)
        self._found.append(text.partition(":")[2].strip())


class Notices:
    """Collects the notices of a connection.

    :param connection: The connection.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._found: list[str] = []
        self._driver_connection: t.Any = connection.connection.driver_connection
        self._stop = self._listen()

    def _listen(self) -> c.Callable[[], object]:
        driver_connection = self._driver_connection

        if hasattr(driver_connection, "add_log_listener"):
            # asyncpg
            add = self._add_message
            driver_connection.add_log_listener(add)
            return lambda: driver_connection.remove_log_listener(add)

        if hasattr(driver_connection, "add_notice_handler"):
            # psycopg
            handle = self._add_diagnostic
            driver_connection.add_notice_handler(handle)
            return lambda: driver_connection.remove_notice_handler(handle)

        # psycopg2. SQLAlchemy empties the list.
        driver_connection.notices = _NoticeList(self._found)
        return lambda: setattr(driver_connection, "notices", [])

    def take(self) -> tuple[str, ...]:
        """Return the notices since the last call."""
        found = tuple(self._found)
        self._found.clear()
        return found

    def close(self) -> None:
        """Stop."""
        self._stop()

    def _add_message(self, connection: object, message: t.Any) -> None:
        self._found.append(message.message)

    def _add_diagnostic(self, diagnostic: t.Any) -> None:
        self._found.append(diagnostic.message_primary)
