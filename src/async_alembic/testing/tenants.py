"""Migrated tenants for one test."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from .. import commands
from ..apps.names import default_name
from ..dialects import dialect_named
from ..errors import FreshDatabaseError
from .apps import run_in_thread

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..extension.blocking import SyncAlembic
    from .copying.fresh_databases import FreshDatabase


class FreshTenants:
    """Makes tenants: schemas of a fresh database, or databases beside it.

    :param database: The database. Its app has an extension with ``tenants``.
    """

    def __init__(self, database: FreshDatabase) -> None:
        self._fresh_app = database.fresh_app
        self._arguments = self._fresh_app.extension._registry.arguments
        self._before = self._arguments.tenants
        engines = self._fresh_app.databases.engines
        self._name = default_name(engines)
        self._url = self._fresh_app.databases.urls[self._name]
        self._dialect = dialect_named(self._url.get_backend_name())
        self._made: list[str] = []
        self._urls: dict[str, sa.URL] = {}

    def make(self, count: int) -> list[str]:
        """Make tenants that are at head. From now on, the extension has these.

        :param count: How many.
        :return: Their names.
        :raises FreshDatabaseError: If the app's extension has no tenants, or is in
            memory.
        """
        if self._before is None:
            raise FreshDatabaseError(
                "The app's extension has no tenants. Pass 'tenants' when creating it."
            )

        new = [self._new_name(len(self._made) + n) for n in range(1, count + 1)]
        self._made += new
        blocking = t.cast("SyncAlembic", self._fresh_app.extension._blocking)
        bound = blocking._for_command_line(self._fresh_app.app)
        self._arguments.tenants = self._urls or (lambda: self._made)

        for name in new:
            # This thread may run an event loop.
            run_in_thread(functools.partial(bound.create_tenant, name))

        return new

    def _new_name(self, number: int) -> str:
        name = f"tenant_{number}"

        if self._dialect.has_search_path:
            return name

        if self._is_file and self._url.database in {None, "", ":memory:"}:
            raise FreshDatabaseError(
                "Tenants need databases in files. Use a folder as the server URL."
            )

        self._urls[name] = self._url.set(database=f"{self._url.database}_{name}")
        return name

    @property
    def _is_file(self) -> bool:
        return self._dialect.maintenance_database is None

    def drop(self) -> None:
        """Drop what does not go with the database."""
        self._arguments.tenants = self._before

        for url in self._urls.values():
            if self._is_file:
                Path(url.database or "").unlink(missing_ok=True)
            else:
                self._fresh_app.run(
                    commands.scratch.drop, {self._name: str(url.database)}
                )
