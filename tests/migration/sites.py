"""Two apps that migrate the same database."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from async_alembic import Alembic

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..backends import POSTGRESQL_BACKENDS
from ..backends import SHARED_BACKENDS
from ..harness import AnyEngine
from ..harness import create_table
from ..harness import make_app
from ..harness import write_revision

#: Drivers with locks of a server, of each kind.
SERVER_BACKENDS = [b for b in SHARED_BACKENDS if b.database != "sqlite"]
on_shared_backends = on(SHARED_BACKENDS)
on_servers = on(SERVER_BACKENDS)
on_postgresql = on(POSTGRESQL_BACKENDS)


class Site:
    """An app whose history makes the table "log" and has a revision that can be held.

    :param engine: The engine of this process, so to speak.
    """

    def __init__(self, engine: AnyEngine, root: Path, **config: Any) -> None:
        self.engine = engine
        self.migrations = root / "migrations"
        self.app = make_app("flask", root, **config)
        self.alembic = Alembic(self.app, metadatas=sa.MetaData(), engines=engine)
        self.running = threading.Event()
        self.go_on = threading.Event()
        self.app.config["ALEMBIC_CONTEXT"] |= {
            "running": self.running,
            "go_on": self.go_on,
        }

    def history(self, *upgrades: str) -> None:
        after = None

        for number, upgrade in enumerate(upgrades, 1):
            write_revision(self.migrations, f"a{number}", after, upgrade)
            after = f"a{number}"


def two_sites(
    backend: Backend, engines: EngineFactory, root: Path, **config: Any
) -> tuple[Site, Site]:
    """Two processes, so to speak, with one database.

    :param config: That of the second one.
    """
    first = Site(engines(backend), root / "one")
    return first, Site(engines(backend, first.engine.url), root / "two", **config)


#: Holds a revision until it is told to go on.
HOLD = """
opts = op.get_context().opts
opts["running"].set()
assert opts["go_on"].wait(30)
"""
LOG = create_table("log")
INSERT = "op.execute('INSERT INTO log VALUES ({})')"


@contextlib.contextmanager
def in_a_thread(fn: Callable[[], Any]) -> Iterator[Any]:
    """Call a function in a thread meanwhile; what it raises is raised at the end."""
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(fn)
        yield future

    future.result()


@contextlib.contextmanager
def migrating(site: Site) -> Iterator[Any]:
    """Another process, so to speak, that is in the middle of a revision."""
    with in_a_thread(site.alembic.sync.upgrade) as future:
        assert site.running.wait(30)

        try:
            yield future
        finally:
            site.go_on.set()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10

    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
