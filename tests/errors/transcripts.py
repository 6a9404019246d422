"""Ten things that go wrong, as Alembic and this package tell them.

``python -m tests.errors.transcripts`` prints the sections of
``docs/explanation/ten-errors.md``.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import alembic

import async_alembic

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "ten-errors.md"
#: Of the terminal, in characters.
WIDTH = 88
#: What ``alembic init`` writes, without logging and the part for offline mode.
ENV_PY = """\
import asyncio

import shop
from alembic import context


def migrate(connection):
    context.configure(connection=connection, target_metadata=shop.metadata)

    with context.begin_transaction():
        context.run_migrations()


async def main():
    async with shop.engine.connect() as connection:
        await connection.run_sync(migrate)


asyncio.run(main())
"""
INI = """\
[alembic]
script_location = %(here)s/peer
version_locations = %(here)s/migrations
path_separator = os
"""
APP = """\
import sqlalchemy as sa
from quart import Quart
from sqlalchemy.ext.asyncio import create_async_engine

metadata = sa.MetaData()
sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
engine = create_async_engine("{url}")


@sa.event.listens_for(engine.sync_engine, "connect")
def enforce_foreign_keys(connection, record):
    if engine.name == "sqlite":
        connection.cursor().execute("PRAGMA foreign_keys = ON")


app = Quart("shop", root_path="{root}")
"""
EXTENSION = """\
from shop import app, engine, metadata

from async_alembic import Alembic

app.config["ALEMBIC"] = {settings}
alembic = Alembic(app, metadatas=metadata, engines=engine)
"""
REVISION = """\
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {after!r}


def upgrade():
    {upgrade}


def downgrade():
    pass
"""
USERS = "op.create_table('users', sa.Column('id', sa.Integer, primary_key=True))"


@dataclass(frozen=True)
class Mishap:
    """Something that goes wrong.

    :param title: What went wrong.
    :param revisions: The code of the revisions, by their ids.
    :param command: The command, which both have.
    :param database: What is in the database before.
    :param before: Commands that were run before, such as an upgrade that has failed.
    :param after: The parent of a revision, unless that is the one before it.
    :param url: The URL of the database.
    :param settings: The settings of Alembic.
    """

    title: str
    revisions: dict[str, str] = field(default_factory=lambda: {"a1": USERS})
    command: tuple[str, ...] = ("upgrade", "heads")
    database: str = ""
    before: tuple[tuple[str, ...], ...] = ()
    after: dict[str, str | None] = field(default_factory=dict)
    url: str = "sqlite+aiosqlite:///{root}/shop.db"
    settings: dict[str, str] = field(default_factory=dict)


MISHAPS = [
    Mishap(
        "A revision has a mistake",
        {"a1": USERS, "b1": "colours = {}\n    op.execute(colours['red'])"},
    ),
    Mishap(
        "A file can't be read",
        {"a1": USERS, "b1": "op.execute('x'"},
    ),
    Mishap(
        "An upgrade failed on SQLite, and is run again",
        {
            "a1": USERS,
            "b1": "op.create_table('tags', sa.Column('id', sa.Integer))\n    "
            "op.execute('INSERT INTO colours VALUES (1)')",
        },
        before=(("upgrade", "heads"),),
    ),
    Mishap(
        "A row is in the way of a foreign key",
        {
            "a1": USERS,
            "b1": "op.execute('CREATE TABLE posts (author REFERENCES users)')\n    "
            "op.execute('INSERT INTO posts VALUES (7)')",
        },
    ),
    Mishap(
        "The database is ahead of the code",
        database="CREATE TABLE alembic_version (version_num TEXT);"
        "INSERT INTO alembic_version VALUES ('f00d')",
    ),
    Mishap(
        "Two developers have each added a revision",
        {"a1": USERS, "b1": "pass", "c1": "pass"},
        ("upgrade", "head"),
        after={"c1": "a1"},
    ),
    Mishap("A revision is misspelt", command=("upgrade", "a11")),
    Mishap(
        "The server is down",
        url="postgresql+asyncpg://shop:secret@127.0.0.1:1/shop",
    ),
    Mishap(
        "The database is not up to date when a revision is written",
        command=("revision", "more"),
    ),
    Mishap(
        "A setting is misspelt",
        settings={"file_templat": "%(slug)s"},
        command=("revision", "more", "--empty"),
    ),
]


class Site:
    """An app, its history and its database, with the files that each of the two needs.

    :param root: A new folder.
    """

    def __init__(self, mishap: Mishap, root: Path) -> None:
        self._mishap = mishap
        self._root = root
        url = mishap.url.format(root=root)
        (root / "shop.py").write_text(APP.format(url=url, root=root))
        (root / "ours.py").write_text(EXTENSION.format(settings=mishap.settings))
        options = (f"{key} = {value}\n" for key, value in mishap.settings.items())
        (root / "alembic.ini").write_text(INI + "".join(options).replace("%", "%%"))
        (root / "peer").mkdir()
        (root / "peer" / "env.py").write_text(ENV_PY)
        (root / "migrations").mkdir()
        template = Path(alembic.__file__).parent / "templates/generic/script.py.mako"

        for folder in "peer", "migrations":
            shutil.copy(template, root / folder)

        after = None

        for revision, upgrade in mishap.revisions.items():
            after = mishap.after.get(revision, after)
            text = REVISION.format(revision=revision, after=after, upgrade=upgrade)
            (root / "migrations" / f"{revision}.py").write_text(text)
            after = revision

        with contextlib.closing(sqlite3.connect(root / "shop.db")) as connection:
            connection.executescript(mishap.database)

    def run_alembic(self) -> str:
        """What Alembic prints. Of a traceback, only the end is of interest."""
        for command in self._mishap.before:
            self._run("-m", "alembic", *command)

        command = self._mishap.command

        if command[0] == "revision":
            mode = () if "--empty" in command else ("--autogenerate",)
            command = ("revision", "-m", command[1], *mode)

        return self._run("-m", "alembic", *command)

    def run_ours(self) -> str:
        """What this package prints."""
        db = "-m", "quart", "--app", "ours:app", "db"

        for command in self._mishap.before:
            self._run(*db, *command)

        return self._run(*db, *self._mishap.command)

    def _run(self, *args: str) -> str:
        source = Path(async_alembic.__file__).parents[1]
        path = os.pathsep.join(map(str, [self._root, source]))
        result = subprocess.run(
            [sys.executable, *args],
            cwd=self._root,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        return _shortened(result.stdout.replace(f"{self._root}{os.sep}", ""))


def _shortened(output: str) -> str:
    lines = output.strip().splitlines() or ["(nothing)"]
    begins = [n for n, line in enumerate(lines) if line.startswith("Traceback")]

    if begins:
        # What follows the last frame.
        last = max(n for n, line in enumerate(lines) if line.startswith("    "))
        skipped = last + 1 - begins[0]
        lines[begins[0] : last + 1] = [f"({skipped} lines)"]

    wrapped = [textwrap.wrap(line, WIDTH, break_long_words=False) for line in lines]
    text = "\n".join(line for some in wrapped for line in some)
    return re.sub(r"\(\d+ ms\)", "(1 ms)", text)


def section(number: int, mishap: Mishap, alembics: str, ours: str) -> str:
    """A section of the page."""
    return (
        f"## {number}. {mishap.title}\n\n"
        f"Alembic:\n\n```text\n{alembics}\n```\n\n"
        f"async-alembic:\n\n```text\n{ours}\n```\n"
    )


def main() -> None:
    for number, mishap in enumerate(MISHAPS, 1):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            alembics = Site(mishap, Path(one)).run_alembic()
            ours = Site(mishap, Path(two)).run_ours()

        print(section(number, mishap, alembics, ours))


if __name__ == "__main__":
    main()
