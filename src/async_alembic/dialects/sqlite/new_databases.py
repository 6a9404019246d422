from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t
import uuid

from ...errors import ConfigurationError
from ..new_databases import NewDatabases
from .driver import execute

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class SQLiteDatabases(NewDatabases):
    def exists(self, connection: sa.Connection, database: str) -> bool:
        return os.path.exists(database)

    def create(self, connection: sa.Connection, name: str) -> str:
        handle, path = tempfile.mkstemp(".db", f"{name}_")
        os.close(handle)
        return path

    def drop(self, connection: sa.Connection, database: str) -> None:
        # SQLite keeps other files beside it.
        for suffix in ("", "-journal", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{database}{suffix}")

    def copy(self, connection: sa.Connection, source: str, database: str) -> None:
        if database in {"", ":memory:"} or database.startswith("file:"):
            raise ConfigurationError(
                f"A database can be copied to a file only, not to '{database}'. Use the"
                " path of a file in the URL."
            )

        # A copy that is not complete is no tenant's.
        part = f"{database}.{uuid.uuid4().hex}"

        try:
            quoted = part.replace("'", "''")
            execute(connection, f"VACUUM INTO '{quoted}'")

            # Somebody else may have been faster.
            with contextlib.suppress(FileExistsError):
                os.link(part, database)
        finally:
            self.drop(connection, part)
