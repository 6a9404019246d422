"""Processes that boot at the same moment, as the workers and replicas of an app do.

.. code-block:: python

    write_history(folder)

    with RaceZygote() as zygote:
        race = zygote.race(folder, url, 10)

    assert race.errors == []
    assert race.applied == read_journal(url) == REVISIONS

Ten Pythons that are started one after another don't collide: each takes longer to
import everything than to migrate. So one process imports everything, and forks the
others, which wait for a signal.

The benchmarks use this too, so nothing here may need pytest.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import faulthandler
import gc
import itertools
import json
import logging
import os
import sqlite3
import sys
import tempfile
import textwrap
import time
import traceback
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import NoReturn

import anyio
import sqlalchemy as sa
from alembic.script import Script
from flask import Flask
from quart import Quart
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import SyncAlembic

from .direct import execute
from .zygote import Zygote

#: What each revision does besides telling the journal.
HISTORY = {
    "b1": """
        op.create_table("journal", sa.Column("revision", sa.String(20)))
        op.create_table(
            "users",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(50), nullable=False),
        )
        """,
    "b2": """
        users = sa.table("users", sa.column("id"), sa.column("name"))
        op.bulk_insert(users, [{"id": n, "name": f"user {n}"} for n in range(1, 99)])
        """,
    "b3": """
        op.create_index("ix_users_name", "users", ["name"])
        """,
    "b4": """
        op.create_table(
            "orders",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id")),
        )
        op.execute("INSERT INTO orders (id, user_id) SELECT id, id FROM users")
        """,
    "b5": """
        op.execute("UPDATE users SET name = 'the first' WHERE id = 1")
        """,
}
REVISIONS = list(HISTORY)

TEMPLATE = '''"""Revision {revision}"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {after!r}
branch_labels = None
depends_on = None


def upgrade():
{body}
    op.execute("INSERT INTO journal (revision) VALUES ('{revision}')")


def downgrade():
    pass
'''


def write_history(root: Path, **bodies: str) -> None:
    """Write the revisions, which run on every database.

    :param root: The folder of the app.
    :param bodies: Other code for some of them.
    """
    folder = root / "migrations"
    folder.mkdir(parents=True)
    after = None

    for revision, body in {**HISTORY, **bodies}.items():
        body = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
        text = TEMPLATE.format(revision=revision, after=after, body=body)
        (folder / f"{revision}.py").write_text(text)
        after = revision


def use_wal(url: sa.URL) -> None:
    """Make a database of SQLite, in the mode in which readers and a writer don't wait
    for each other.
    """
    assert url.database is not None

    with contextlib.closing(sqlite3.connect(url.database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def read_journal(url: sa.URL) -> list[str]:
    """The revisions that have left an entry in the database, in their order. One that
    was applied twice is there twice.
    """
    rows = execute(url, "SELECT revision FROM journal ORDER BY revision")
    return [revision for (revision,) in rows]


@dataclasses.dataclass(frozen=True)
class Boot:
    """What one process did.

    :param applied: The revisions that its ``upgrade()`` has returned.
    :param error: What it failed with.
    :param seconds: From the signal to start until ``upgrade()`` was done.
    """

    applied: list[str]
    error: str | None
    seconds: float


@dataclasses.dataclass(frozen=True)
class Race:
    """What all processes did."""

    boots: list[Boot]

    @property
    def applied(self) -> list[str]:
        """The revisions that any of them has applied, in the order of the history."""
        return sorted(revision for boot in self.boots for revision in boot.applied)

    @property
    def errors(self) -> list[str]:
        return [boot.error for boot in self.boots if boot.error is not None]

    @property
    def seconds(self) -> float:
        """How long it took until all were done."""
        return max(boot.seconds for boot in self.boots)


@dataclasses.dataclass(frozen=True)
class Job:
    """What the zygote is asked for, see :meth:`RaceZygote.race`."""

    root: str
    url: str
    processes: int = 1
    timeout: float = 60
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    connect_args: dict[str, Any] = dataclasses.field(default_factory=dict)
    others: list[str] = dataclasses.field(default_factory=list)
    pooled: bool = True

    @property
    def engine_options(self) -> dict[str, Any]:
        pool = {} if self.pooled else {"poolclass": sa.NullPool}
        return {"connect_args": self.connect_args, **pool}


class RaceZygote(Zygote):
    """Forks those which race."""

    def __init__(self) -> None:
        super().__init__(__name__)

    def race(
        self,
        root: Path,
        url: sa.URL,
        processes: int,
        timeout: float = 60,
        *,
        others: Sequence[sa.URL] = (),
        connect_args: Mapping[str, Any] = {},
        pooled: bool = True,
        **config: Any,
    ) -> Race:
        """Let processes boot at the same moment on the same database.

        :param root: The folder of the app, with its history.
        :param url: The database. With an async driver it is an app of Quart, otherwise
            one of Flask.
        :param processes: How many there are.
        :param timeout: After how many seconds a process is ended that hangs. It shows
            where.
        :param others: More addresses of the database, such as the other nodes of a
            cluster. The processes take turns to choose one.
        :param connect_args: For the driver.
        :param pooled: Whether the app's engine keeps connections.
        :param config: For ``app.config``.
        """
        text, *more = (u.render_as_string(hide_password=False) for u in (url, *others))
        job = Job(
            str(root),
            text,
            processes,
            timeout,
            config,
            dict(connect_args),
            more,
            pooled,
        )
        boots = self.ask(dataclasses.asdict(job))
        return Race([Boot(**boot) for boot in boots])


class FlaskWorker:
    """A process of an app that has an ``Engine``."""

    def __init__(self, job: Job) -> None:
        self.app = Flask("shop", root_path=job.root)
        self.app.config.update(job.config)
        self.engine = sa.create_engine(job.url, **job.engine_options)
        self.alembic = SyncAlembic(
            self.app, metadatas=sa.MetaData(), engines=self.engine
        )

    def start(self) -> list[Script]:
        with self.app.app_context():
            return self.alembic.upgrade()

    def stop(self) -> None:
        self.engine.dispose()


class QuartWorker:
    """A process of an app that has an ``AsyncEngine``."""

    def __init__(self, job: Job) -> None:
        self.app = app = Quart("shop", root_path=job.root)
        self.app.config.update(job.config)
        self.applied: list[Script] = []
        self.runner = asyncio.Runner()
        engine = create_async_engine(job.url, **job.engine_options)
        alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

        @app.before_serving
        async def migrate() -> None:
            self.applied += await alembic.upgrade()

        @app.after_serving
        async def disconnect() -> None:
            await engine.dispose()

    def start(self) -> list[Script]:
        self.runner.run(self.app.startup())
        return self.applied

    def stop(self) -> None:
        self.runner.run(self.app.shutdown())
        self.runner.close()


def make_worker(job: Job) -> FlaskWorker | QuartWorker:
    is_async = sa.make_url(job.url).get_dialect().is_async
    return QuartWorker(job) if is_async else FlaskWorker(job)


def do_all(jobs: Iterable[str]) -> None:
    """Be the zygote: do what each line asks for, and print what came out."""
    # Quart logs the traceback of what is reported as a sentence.
    logging.disable()
    import_everything()
    # A collection would copy, in each process, all the memory that they share.
    gc.freeze()

    for line in jobs:
        job = Job(**json.loads(line))
        # Imports the driver.
        make_worker(job)
        boots = fork_all(job)
        print(json.dumps([dataclasses.asdict(boot) for boot in boots]), flush=True)


def import_everything() -> None:
    """Import what is only imported by the first migration."""
    anyio.run(anyio.sleep, 0)

    with tempfile.TemporaryDirectory() as root:
        write_history(Path(root))
        worker = FlaskWorker(Job(root, "sqlite://"))
        worker.start()
        worker.stop()


def fork_all(job: Job) -> list[Boot]:
    start, signal = os.pipe()
    reports = []
    urls = itertools.cycle([job.url, *job.others])

    for url in itertools.islice(urls, job.processes):
        reader, writer = os.pipe()

        if not os.fork():
            os.close(signal)
            boot(dataclasses.replace(job, url=url), start, writer)

        os.close(writer)
        reports.append(open(reader))

    for report in reports:
        # It is ready.
        report.readline()

    started = time.monotonic()
    os.close(signal)
    os.close(start)
    boots = []

    for report in reports:
        with report:
            text = report.read()

        os.wait()
        early: list[Any] = [[], "It has printed why it ended.", time.monotonic()]
        applied, error, ended = json.loads(text) if text else early
        boots.append(Boot(applied, error, ended - started))

    return boots


def boot(job: Job, start: int, report: int) -> NoReturn:
    """Be one of those that race.

    :param start: Can be read when it is to start.
    :param report: Where to write a line when it is ready, and one when it is done.
    """
    try:
        faulthandler.dump_traceback_later(job.timeout, exit=True)
        worker = make_worker(job)
        os.write(report, b"\n")
        os.read(start, 1)
        applied: list[str] = []
        error = None

        try:
            applied += [script.revision for script in worker.start()]
        except AsyncAlembicError as e:
            error = f"{type(e).__name__}: {e}"

        ended = time.monotonic()
        worker.stop()
        os.write(report, json.dumps([applied, error, ended]).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        # Nothing of what the zygote would do at its end.
        os._exit(0)


if __name__ == "__main__":
    do_all(sys.stdin)
