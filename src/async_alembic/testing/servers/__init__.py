"""How each kind of server creates, copies and drops test databases.

Only this package and ``dialects/`` may contain names of database systems. It does not
depend on apps, revisions, pytest or threads.
"""

from __future__ import annotations

import importlib.util
import os
import typing as t
from pathlib import Path

from ...errors import FreshDatabaseError
from .base import Server as Server
from .mysql import MySQLServer
from .postgresql import PostgreSQLServer
from .sqlite import SQLiteServer

if t.TYPE_CHECKING:
    import sqlalchemy as sa


def default_url(folder: Path) -> str:
    """Return the default server URL: SQLite files in a folder.

    :param folder: The folder.
    """
    is_async = importlib.util.find_spec("aiosqlite") is not None
    return f"sqlite{'+aiosqlite' if is_async else ''}:///{folder}{os.sep}"


_servers: dict[str, type[Server]] = {
    "mariadb": MySQLServer,
    "mysql": MySQLServer,
    "postgresql": PostgreSQLServer,
    "sqlite": SQLiteServer,
}


def server_of(url: sa.URL, run: str) -> Server:
    """Return the server for a URL, not connected yet.

    :param url: The URL.
    :param run: See :class:`.Server`.
    :raises FreshDatabaseError: If this database system is not supported.
    """
    server_class = _servers.get(url.get_backend_name())

    if server_class is None:
        raise FreshDatabaseError(
            f"Test databases cannot be created at '{url}'. Use SQLite, PostgreSQL,"
            " MariaDB or MySQL."
        )

    return server_class(url, run)
