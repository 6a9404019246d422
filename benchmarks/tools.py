"""How this package and each of its peers upgrade a database, in a new process.

.. code-block:: python

    with ToolZygote("Flask-Migrate") as zygote:
        (error,) = zygote.upgrade((folder, url))

Each peer has the project that its own ``init`` makes, and its processes have imported
none of the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import importlib
import io
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from typing import NoReturn

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine
from tests.zygote import Zygote

AWAITED = "async-alembic, awaited"
BLOCKING = "async-alembic, blocking"
FLASK_ALEMBIC = "Flask-Alembic"
FLASK_MIGRATE = "Flask-Migrate"
ALEMBIC = "alembic.command"
OURS = [AWAITED, BLOCKING]
TOOLS = [*OURS, FLASK_ALEMBIC, FLASK_MIGRATE, ALEMBIC]
#: Where the others have ``migrations/versions``.
WITHOUT_ENV_PY = [*OURS, FLASK_ALEMBIC]
Upgrade = Callable[[], object]
#: Seconds after which a process is ended that hangs.
TIMEOUT = 120


class ToolZygote(Zygote):
    """Forks the processes of one tool, which it has imported."""

    def __init__(self, tool: str) -> None:
        super().__init__(__name__)
        self.tool = tool

    def upgrade(self, *projects: tuple[Path, sa.URL]) -> list[str | None]:
        """Upgrade databases in a new process, one after another.

        :return: For each database, None or the error.
        """
        (errors,) = self.race(1, *projects)
        return errors

    def race(
        self, processes: int, *projects: tuple[Path, sa.URL]
    ) -> list[list[str | None]]:
        """Let processes do that at the same moment."""
        answers = self._run(processes, projects)
        return [[error for error, _ in answer] for answer in answers]

    def time(
        self, *projects: tuple[Path, sa.URL], write_bytecode: bool = True
    ) -> float:
        """Upgrade databases in a new process, one after another.

        :param write_bytecode: Whether to keep that of the revisions.
        :return: The seconds that the last one took.
        """
        (answer,) = self._run(1, projects, write_bytecode)

        for error, _ in answer:
            if error:
                raise RuntimeError(f"{self.tool}: {error}")

        seconds: float = answer[-1][1]
        return seconds

    def _run(
        self,
        processes: int,
        projects: tuple[tuple[Path, sa.URL], ...],
        write_bytecode: bool = True,
    ) -> list[list[Any]]:
        jobs = [(os.fspath(folder), shown(url)) for folder, url in projects]
        answer: list[list[Any]] = self.ask([self.tool, processes, jobs, write_bytecode])
        return answer


def shown(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def is_async(url: str) -> bool:
    return sa.make_url(url).get_dialect().is_async


def init(tool: str, folder: Path, url: str) -> Path:
    """Make the project that the tool's own documentation begins with.

    :return: The folder for revisions.
    """
    migrations = folder / "migrations"

    if tool in WITHOUT_ENV_PY:
        migrations.mkdir()
        return migrations

    # They print what they make.
    with contextlib.redirect_stdout(io.StringIO()):
        if tool == FLASK_MIGRATE:
            import flask_migrate

            with flask_migrate_app(folder, url).app_context():
                flask_migrate.init(os.fspath(migrations))
        else:
            from alembic import command
            from alembic.config import Config

            template = "async" if is_async(url) else "generic"
            command.init(
                Config(folder / "alembic.ini"), os.fspath(migrations), template
            )

    return migrations / "versions"


@contextmanager
def awaiting(folder: Path, url: str) -> Iterator[Upgrade]:
    from quart import Quart

    from async_alembic import Alembic

    app = Quart("app", root_path=os.fspath(folder))
    engine = create_async_engine(url)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    with asyncio.Runner() as runner:
        try:
            yield lambda: runner.run(alembic.upgrade())
        finally:
            runner.run(engine.dispose())


@contextmanager
def blocking(folder: Path, url: str) -> Iterator[Upgrade]:
    from async_alembic import SyncAlembic

    app = Flask("app", root_path=os.fspath(folder))
    engine = create_async_engine(url) if is_async(url) else sa.create_engine(url)
    yield SyncAlembic(app, metadatas=sa.MetaData(), engines=engine).upgrade


@contextmanager
def flask_alembic(folder: Path, url: str) -> Iterator[Upgrade]:
    from flask_alembic import Alembic

    app = Flask("app", root_path=os.fspath(folder))
    engine: Any = create_async_engine(url) if is_async(url) else sa.create_engine(url)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    with app.app_context():
        yield alembic.upgrade


@contextmanager
def flask_migrate(folder: Path, url: str) -> Iterator[Upgrade]:
    import flask_migrate

    with flask_migrate_app(folder, url).app_context():
        yield lambda: flask_migrate.upgrade(os.fspath(folder / "migrations"))


def flask_migrate_app(folder: Path, url: str) -> Flask:
    from flask_migrate import Migrate
    from flask_sqlalchemy import SQLAlchemy

    app = Flask("app", root_path=os.fspath(folder))
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    Migrate(app, SQLAlchemy(app))
    return app


@contextmanager
def plain_alembic(folder: Path, url: str) -> Iterator[Upgrade]:
    from alembic import command
    from alembic.config import Config

    config = Config(folder / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    yield lambda: command.upgrade(config, "heads")


#: Each makes an app, and yields what upgrades its database.
APPS: dict[str, Callable[[Path, str], AbstractContextManager[Upgrade]]] = {
    AWAITED: awaiting,
    BLOCKING: blocking,
    FLASK_ALEMBIC: flask_alembic,
    FLASK_MIGRATE: flask_migrate,
    ALEMBIC: plain_alembic,
}
MODULES = {
    AWAITED: ["alembic.command", "async_alembic", "quart"],
    BLOCKING: ["alembic.command", "async_alembic"],
    FLASK_ALEMBIC: ["alembic.command", "flask_alembic"],
    FLASK_MIGRATE: ["alembic.command", "flask_migrate", "flask_sqlalchemy"],
    ALEMBIC: ["alembic.command"],
}


def enforce_foreign_keys(connection: Any, record: object) -> None:
    """As apps on SQLite do that mean their foreign keys."""
    if "sqlite" in type(connection).__module__:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()


def run_one(tool: str, folder: str, url: str) -> tuple[str | None, float]:
    """Upgrade a database.

    :return: None or the error, and the seconds that the upgrade took.
    """
    try:
        with APPS[tool](Path(folder), url) as upgrade:
            # It writes to most pages of memory, which a fork has to copy then.
            gc.collect()
            started = time.perf_counter()
            upgrade()
            return None, time.perf_counter() - started
    except BaseException as e:
        # Flask-Migrate exits. What the driver says is in the exception, or behind it.
        cause = e.__cause__ or e
        orig = getattr(cause, "orig", None) or cause
        return f"{type(e).__name__}: {orig}\n{e}", 0


def fork_all(tool: str, processes: int, jobs: list[Any]) -> list[list[Any]]:
    start, signal = os.pipe()
    reports = []

    for _ in range(processes):
        reader, writer = os.pipe()

        if not os.fork():
            os.close(signal)
            be_one(tool, jobs, start, writer)

        os.close(writer)
        reports.append(open(reader))

    os.close(signal)
    os.close(start)
    answers = []

    for report in reports:
        with report:
            text = report.read()

        os.wait()
        answers.append(json.loads(text) if text else [(f"{tool} was ended.", 0)])

    return answers


def be_one(tool: str, jobs: list[Any], start: int, report: int) -> NoReturn:
    """Be one of the processes.

    :param start: Can be read when it is to start.
    :param report: Where to write the errors.
    """
    try:
        faulthandler.dump_traceback_later(TIMEOUT, exit=True)
        # Alembic's projects log what they do, and must not answer the question.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        os.read(start, 1)
        outcomes = [run_one(tool, folder, url) for folder, url in jobs]
        os.write(report, json.dumps(outcomes).encode())
    finally:
        # Nothing of what the zygote would do at its end.
        os._exit(0)


def main() -> None:
    # Those of the peers are no errors here.
    warnings.simplefilter("ignore")
    event.listen(sa.Engine, "connect", enforce_foreign_keys)

    for line in sys.stdin:
        tool, processes, jobs, write_bytecode = json.loads(line)
        sys.dont_write_bytecode = not write_bytecode

        for module in MODULES[tool]:
            importlib.import_module(module)

        for _, url in jobs:
            sa.make_url(url).get_dialect().import_dbapi()

        print(json.dumps(fork_all(tool, processes, jobs)), flush=True)


if __name__ == "__main__":
    main()
