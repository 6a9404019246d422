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
import importlib
import io
import json
import os
import sys
import warnings
from collections.abc import Callable
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
        jobs = [(os.fspath(folder), shown(url)) for folder, url in projects]
        answer: list[list[str | None]] = self.ask([self.tool, processes, jobs])
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


def upgrade_awaited(folder: Path, url: str) -> None:
    from quart import Quart

    from async_alembic import Alembic

    app = Quart("app", root_path=os.fspath(folder))
    engine = create_async_engine(url)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    async def upgrade() -> None:
        try:
            await alembic.upgrade()
        finally:
            await engine.dispose()

    asyncio.run(upgrade())


def upgrade_blocking(folder: Path, url: str) -> None:
    from async_alembic import SyncAlembic

    app = Flask("app", root_path=os.fspath(folder))
    engine = create_async_engine(url) if is_async(url) else sa.create_engine(url)
    SyncAlembic(app, metadatas=sa.MetaData(), engines=engine).upgrade()


def upgrade_by_flask_alembic(folder: Path, url: str) -> None:
    from flask_alembic import Alembic

    app = Flask("app", root_path=os.fspath(folder))
    engine: Any = create_async_engine(url) if is_async(url) else sa.create_engine(url)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    with app.app_context():
        alembic.upgrade()


def upgrade_by_flask_migrate(folder: Path, url: str) -> None:
    import flask_migrate

    with flask_migrate_app(folder, url).app_context():
        flask_migrate.upgrade(os.fspath(folder / "migrations"))


def flask_migrate_app(folder: Path, url: str) -> Flask:
    from flask_migrate import Migrate
    from flask_sqlalchemy import SQLAlchemy

    app = Flask("app", root_path=os.fspath(folder))
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    Migrate(app, SQLAlchemy(app))
    return app


def upgrade_by_alembic(folder: Path, url: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(folder / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "heads")


UPGRADES: dict[str, Callable[[Path, str], None]] = {
    AWAITED: upgrade_awaited,
    BLOCKING: upgrade_blocking,
    FLASK_ALEMBIC: upgrade_by_flask_alembic,
    FLASK_MIGRATE: upgrade_by_flask_migrate,
    ALEMBIC: upgrade_by_alembic,
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


def error_of(tool: str, folder: str, url: str) -> str | None:
    try:
        UPGRADES[tool](Path(folder), url)
    except BaseException as e:
        # Flask-Migrate exits. What the driver says is in the exception, or behind it.
        cause = e.__cause__ or e
        orig = getattr(cause, "orig", None) or cause
        return f"{type(e).__name__}: {orig}\n{e}"

    return None


def fork_all(tool: str, processes: int, jobs: list[Any]) -> list[list[str | None]]:
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
        answers.append(json.loads(text) if text else [f"{tool} was ended."])

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
        errors = [error_of(tool, folder, url) for folder, url in jobs]
        os.write(report, json.dumps(errors).encode())
    finally:
        # Nothing of what the zygote would do at its end.
        os._exit(0)


def main() -> None:
    # Those of the peers are no errors here.
    warnings.simplefilter("ignore")
    event.listen(sa.Engine, "connect", enforce_foreign_keys)

    for line in sys.stdin:
        tool, processes, jobs = json.loads(line)

        for module in MODULES[tool]:
            importlib.import_module(module)

        for _, url in jobs:
            sa.make_url(url).get_dialect().import_dbapi()

        print(json.dumps(fork_all(tool, processes, jobs)), flush=True)


if __name__ == "__main__":
    main()
