"""Fresh databases without pytest."""

from __future__ import annotations

import atexit
import functools
import threading
import typing as t
from uuid import uuid4

from ..apps.current import loop_is_running
from ..errors import FreshDatabaseError
from .copying.fresh_databases import FreshDatabase
from .copying.shared_servers import SharedServers

if t.TYPE_CHECKING:
    from ..history.targets import StepTarget
    from .apps import AppFactory
    from .copying.urls import Urls

_lock = threading.Lock()


class fresh_database:
    """Make a migrated database and drop it on exit.

    Use ``async with``, or ``with`` if no event loop is running. The migrations run once
    per process. All databases are dropped when the process exits.

    :param server_url: The URL of the server. For SQLite, the URL of a folder or of an
        in-memory database. For an app with several databases, a dict with a URL for
        each.
    :param upgrade: A function that takes the URL of the database, or a dict of several,
        and returns the app or the extension that migrates it.
    :param target: The revision to migrate to.
    :raises FreshDatabaseError: If the database cannot be made.
    :raises MigrationError: If a revision fails.
    """

    def __init__(
        self,
        server_url: Urls,
        upgrade: AppFactory,
        *,
        target: StepTarget = "heads",
    ) -> None:
        self._server_url = server_url
        self._app_factory = upgrade
        self._target = target

    def __enter__(self) -> FreshDatabase:
        if loop_is_running():
            raise FreshDatabaseError(
                "'with fresh_database(...)' would block the event loop running in"
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
            servers = _shared_servers()
            factory = servers.database_factory(self._app_factory, self._server_url)

        return factory.make(self._target)


@functools.cache
def _shared_servers() -> SharedServers:
    servers = SharedServers(uuid4().hex, keep=False)
    atexit.register(servers.close)
    return servers
