"""What is imported when: little when an app starts, and nothing on its event loop."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from .harness import write_revision

#: Calls a method for the first time in a process, and prints what it has imported in
#: the thread of the event loop.
FIRST_CALL = """
import asyncio
import json
import sys
import threading

import quart
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import Alembic

folder, call = sys.argv[1:]
app = quart.Quart("app", root_path=folder)
metadata = sa.MetaData()
sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/app.db")
alembic = Alembic(app, metadatas=metadata, engines=engine)
found = []


class Spy:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            found.append(name)


async def main():
    # The driver and SQLAlchemy import what they need for a connection.
    async with engine.connect() as connection:
        await connection.run_sync(lambda c: sa.inspect(c).get_table_names())

    # So does asyncio for a thread.
    await asyncio.to_thread(int)
    sys.meta_path.insert(0, Spy())
    await eval(f"alembic.{call}")
    sys.meta_path.pop(0)
    await engine.dispose()


asyncio.run(main())
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    "call",
    [
        "upgrade()",
        "downgrade('base')",
        "status()",
        "applied()",
        "heads()",
        "revision('users')",
        "revision('users', empty=True)",
        "compare_metadata()",
        "move_in()",
        "mkdir()",
        "init()",
        "list_templates()",
        "show()",
        "ensure_version()",
        "drop_all()",
        "with_options(x_args=['a']).upgrade()",
        "op.execute('SELECT 1')",
    ],
)
def test_the_first_call_imports_nothing_on_the_event_loop(
    call: str, tmp_path: Path
) -> None:
    """Alembic alone takes a tenth of a second, in which no request is answered."""
    write_revision(tmp_path / "migrations", "a1")

    if call == "revision('users')":
        # It has to be at head.
        with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
            connection.execute("INSERT INTO alembic_version VALUES ('a1')")
            connection.commit()

    done = subprocess.run(
        [sys.executable, "-c", FIRST_CALL, str(tmp_path), call],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


#: Prints what of this package an app that finds nothing to do has imported.
AT_HEAD = """
import sys

import flask
import sqlalchemy as sa

from async_alembic import SyncAlembic

app = flask.Flask("app", root_path=sys.argv[1])
engine = sa.create_engine(f"sqlite:///{sys.argv[1]}/app.db")
alembic = SyncAlembic(app, metadatas=sa.MetaData(), engines=engine)

if sys.argv[2] == "at_head":
    alembic.upgrade()

print(*(name for name in sys.modules if name.startswith("async_alembic.")))
"""


@pytest.mark.parametrize("state", ["new", "at_head"])
def test_an_app_starts_without_what_only_results_need(
    tmp_path: Path, state: str
) -> None:
    """Dataclasses take as long to make as all the rest of the import."""
    done = subprocess.run(
        [sys.executable, "-c", AT_HEAD, str(tmp_path), state],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = {name.removeprefix("async_alembic.") for name in done.stdout.split()}
    assert "extension.blocking" in found
    assert not found & {"results", "plans", "signals", "extension.awaited"}
