"""Fresh databases without pytest."""

from __future__ import annotations

import atexit
import functools
import threading
import typing as t
from uuid import uuid4

from ..apps.current import loop_is_running
from ..errors import FreshDatabaseError
from .copying.databases import FreshDatabase
from .copying.sessions import Session

if t.TYPE_CHECKING:
    from ..history.targets import StepTarget
    from .apps import Factory
    from .copying.names import Urls

_lock = threading.Lock()


class fresh_database:
    """Make a migrated database that nobody else has, and drop it.

    To be entered with ``async with``, or with ``with`` where no event loop is running.
    The history is run once in each process; what is made is dropped at its end.

    :param server_url: Where databases are made: the URL of a server, or of SQLite: that
        of a folder, or of a database in memory. If the app has several databases, a
        dict that has one for each.
    :param upgrade: Called with the URL of a database, or with a dict of several,
        returns the app or the extension that migrates it.
    :param target: The revision that the database is at.
    :raises FreshDatabaseError: If no database can be made.
    :raises MigrationError: If a revision fails.
    """

    def __init__(
        self,
        server_url: Urls,
        upgrade: Factory,
        *,
        target: StepTarget = "heads",
    ) -> None:
        self._url = server_url
        self._factory = upgrade
        self._target = target

    def __enter__(self) -> FreshDatabase:
        if loop_is_running():
            raise FreshDatabaseError(
                "'with fresh_database(...)' would block the event loop that runs in"
                " this thread. Use 'async with'."
            )

        self._database = self._make()
        return self._database

    def __exit__(self, *exc_info: object) -> None:
        self._database.close()

    async def __aenter__(self) -> FreshDatabase:
        import anyio.to_thread

        self._database = await anyio.to_thread.run_sync(self._make)
        return self._database

    async def __aexit__(self, *exc_info: object) -> None:
        await self._database.aclose()

    def _make(self) -> FreshDatabase:
        with _lock:
            databases = _session().databases(self._factory, self._url)

        return databases.make(self._target)


@functools.cache
def _session() -> Session:
    session = Session(uuid4().hex, keep=False)
    atexit.register(session.close)
    return session
