"""Projects that upgrade a database of their own, which can be looked at past them."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from textwrap import indent
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from tests.direct import blocking_url
from tests.direct import execute
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


@dataclass
class Lab:
    """Makes projects and databases."""

    folder: Path
    servers: dict[str, Server] = field(default_factory=dict)

    def project(
        self, zygote: ToolZygote, database: str, *, is_async: bool = False
    ) -> Project:
        """Make a project, with an empty database.

        :param is_async: Whether to use the asynchronous driver with any tool.
        """
        name = f"test_{uuid4().hex}"
        folder = self.folder / name
        is_async |= zygote.tool == AWAITED
        driver = DRIVERS[database][0 if is_async else 1]

        if database in self.servers:
            server = self.servers[database]
            server.create_database(name)
            url = server.url(driver, name)
        else:
            url = sa.URL.create(driver, database=f"{folder}.db")

        folder.mkdir()
        versions = init(zygote.tool, folder, shown(url))
        return Project(zygote, folder, versions, url)
