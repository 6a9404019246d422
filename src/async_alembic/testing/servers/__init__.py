"""What there is to know of each kind of server to make databases for tests.

Beside ``dialects/``, the only place where the name of a database system may stand.
Nothing here knows an app, a history, pytest or more than one thread.
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
    """Where databases are made if nobody said where: a folder for files.

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
    """The server of a URL.

    :param url: The URL.
    :param run: See :class:`.Server`.
    :raises FreshDatabaseError: If no databases can be made there.
    """
    kind = _servers.get(url.get_backend_name())

    if kind is None:
        raise FreshDatabaseError(
            f"No databases can be made for tests at '{url}'. Use SQLite, PostgreSQL,"
            " MariaDB or MySQL."
        )

    return kind(url, run)
