"""Projects that upgrade a database of their own, which can be looked at past them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from tests.direct import blocking_url
from tests.direct import execute
from tests.servers import MariaDBServer
from tests.servers import PostgresServer
from tests.servers import Server

from .tools import AWAITED
from .tools import init
from .tools import shown
from .tools import ToolZygote

#: The driver for what is awaited, and the one for the others.
DRIVERS = {
    "SQLite": ("sqlite+aiosqlite", "sqlite"),
    "PostgreSQL": ("postgresql+asyncpg", "postgresql+psycopg2"),
    "MariaDB": ("mysql+asyncmy", "mysql+pymysql"),
}

REVISION = '''"""Revision {revision}"""

import os
import signal

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {parent!r}
branch_labels = {labels!r}
depends_on = None


def upgrade():
{body}


def downgrade():
    pass
'''


@dataclass(frozen=True)
class Project:
    """A project of a tool, and a new database."""

    zygote: ToolZygote
    folder: Path
    versions: Path
    url: sa.URL

    def write(self, revision: str, parent: str | None, body: str) -> None:
        # Flask-Alembic needs it to find the branch.
        labels = None if parent else ("default",)
        text = REVISION.format(
            revision=revision,
            parent=parent,
            labels=labels,
            body=indent(body.strip("\n"), "    "),
        )
        (self.versions / f"{revision}.py").write_text(text)

    def upgrade(self) -> str | None:
        (error,) = self.zygote.upgrade((self.folder, self.url))
        return error

    def prepare(self, *bodies: str) -> None:
        """Apply what goes without a fault with every tool."""
        self.write("a1", None, "\n".join(bodies))

        if error := self.upgrade():
            raise RuntimeError(f"{self.zygote.tool}: {error}")

    def execute(self, statement: str) -> list[Any]:
        return execute(self.url, statement)

    def columns(self, table: str) -> list[str]:
        engine = sa.create_engine(blocking_url(self.url), poolclass=sa.NullPool)

        with engine.connect() as connection:
            columns = sa.inspect(connection).get_columns(table)

        return [column["name"] for column in columns]

    def schema(self) -> str:
        """SQLite's own text of it."""
        return "\n".join(
            sql for (sql,) in self.execute("SELECT sql FROM sqlite_master") if sql
        )


class RoomyServer(PostgresServer):
    """One that takes more connections than it would by default, and keeps all pages of
    ten thousand version tables and their keys, which are 160 MB.
    """

    _settings = PostgresServer._settings | {
        "max_connections": 500,
        "shared_buffers": "256MB",
    }


SERVERS: dict[str, type[Server]] = {
    "PostgreSQL": RoomyServer,
    "MariaDB": MariaDBServer,
}


@dataclass
class Lab:
    """Makes projects and databases. Its servers and zygotes start when they are needed,
    and end with it.
    """

    folder: Path
    stack: ExitStack
    servers: dict[str, Server] = field(default_factory=dict)
    zygotes: dict[str, ToolZygote] = field(default_factory=dict)

    def missing(self, database: str) -> str:
        """Why there is no such database here, or nothing."""
        return database in SERVERS and SERVERS[database].missing() or ""

    def server(self, database: str) -> Server:
        if database not in self.servers:
            server = self.stack.enter_context(SERVERS[database]())
            self.servers[database] = server

        return self.servers[database]

    def zygote(self, tool: str) -> ToolZygote:
        if tool not in self.zygotes:
            self.zygotes[tool] = self.stack.enter_context(ToolZygote(tool))

        return self.zygotes[tool]

    def new_folder(self) -> Path:
        folder = self.folder / f"project_{uuid4().hex}"
        folder.mkdir()
        return folder

    def new_database(self, database: str, driver: str) -> sa.URL:
        name = f"test_{uuid4().hex}"

        if database not in SERVERS:
            return sa.URL.create(driver, database=f"{self.folder}/{name}.db")

        server = self.server(database)
        server.create_database(name)
        return server.url(driver, name)

    def new_project(self, tool: str, url: sa.URL) -> tuple[Path, Path]:
        """Make a folder with what the tool's own ``init`` writes.

        :return: It, and its folder for revisions.
        """
        folder = self.new_folder()
        return folder, init(tool, folder, shown(url))

    def project(
        self, zygote: ToolZygote, database: str, *, is_async: bool = False
    ) -> Project:
        """Make a project, with an empty database.

        :param is_async: Whether to use the asynchronous driver with any tool.
        """
        is_async |= zygote.tool == AWAITED
        url = self.new_database(database, DRIVERS[database][0 if is_async else 1])
        return Project(zygote, *self.new_project(zygote.tool, url), url)


@contextmanager
def open_lab() -> Iterator[Lab]:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        yield Lab(Path(folder), stack)
