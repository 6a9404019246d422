"""The extension whose methods are awaited.

``blocking.py`` is made of this file: run ``make blocking`` after a change.
"""

from __future__ import annotations

import collections.abc as c
import functools
import typing as t

from .. import commands
from ..history.targets import names_current
from ..running.imports import import_for
from .base import BaseAlembic
from .blocking import SyncAlembic
from .proxies import AwaitedProxy

if t.TYPE_CHECKING:
    from alembic.operations import MigrationScript
    from alembic.script import Script
    from flask.sansio.app import App

    from ..history.targets import StepTarget
    from ..history.targets import Target
    from ..migration.environment import Environment
    from ..migration.environment import Steps
    from ..results import DatabaseStatus
    from ..running.dispatch import DatabaseCommand
    from ..running.dispatch import FilesCommand

P = t.ParamSpec("P")
T = t.TypeVar("T")


class Alembic(BaseAlembic):
    """Database migrations for a Quart or a Flask app, awaited.

    It works with an ``AsyncEngine``, on the caller's event loop, and with an
    ``Engine``, in a worker thread. :attr:`sync` has the same methods, blocking.

    The methods need an app context only if several apps are registered.

    :param app: Call :meth:`init_app` on this app.
    :param metadatas: What the models are compared with: one
        :class:`~sqlalchemy.MetaData`, a list of them, or a dict of either by the names
        of several databases. Left out, it comes from Flask-SQLAlchemy or Advanced
        Alchemy.
    :param engines: The databases: an :class:`~sqlalchemy.Engine`, an
        :class:`~sqlalchemy.ext.asyncio.AsyncEngine`, a dict of one of these kinds by
        the same names, or a callable that returns one of these, called at first use.
        Left out, they come from Flask-SQLAlchemy, Flask-SQLAlchemy-Lite or Advanced
        Alchemy, else from ``ALEMBIC["sqlalchemy.url"]``.
    :param run_mkdir: Call :meth:`mkdir` when an app is registered, if a folder is
        missing.
    :param command_name: The name of the group of commands to add to the app's command
        line; none if empty.
    """

    _prefer_async = True

    @functools.cached_property
    def sync(self) -> SyncAlembic:
        """The same methods, blocking."""
        return SyncAlembic._of(self)

    @property
    def _blocking(self) -> SyncAlembic:
        return self.sync

    def _close_at_teardown(self, app: App) -> None:
        self.sync._close_at_teardown(app)

    async def mkdir(self) -> None:
        """Create the script directory and its template, where they are missing."""
        await self._with_files(self._mkdir, self._app())

    async def current(self) -> tuple[Script, ...]:
        """Get the revisions that the databases are at.

        :return: Those of every database, each once.
        :raises UnknownRevisionInDatabaseError: If the code does not have one of them.
        """
        return await self._on_databases(commands.inspect.current)

    async def heads(self, resolve_dependencies: bool = False) -> tuple[Script, ...]:
        """Get the revisions that have no child revisions.

        :param resolve_dependencies: Treat dependencies as down revisions.
        """
        return await self._on_files(commands.inspect.heads, resolve_dependencies)

    async def branches(self) -> list[Script]:
        """Get the revisions that have more than one child revision."""
        return await self._on_files(commands.inspect.branches)

    async def log(self, start: Target = "base", end: Target = "heads") -> list[Script]:
        """Get the revisions from the newest to the oldest.

        :param start: The oldest one; ``"current"`` for where the databases are.
        :param end: The newest one, as ``start``.
        :raises RevisionError: If one of them is not found.
        """
        if names_current(start, end):
            return await self._on_databases(
                commands.inspect.log_from_current, start, end
            )

        return await self._on_files(commands.inspect.log, start, end)

    async def stamp(self, target: Target = "heads", *, purge: bool = False) -> None:
        """Set the revision that the databases are at, without running anything.

        :param target: The revision or revisions to set.
        :param purge: Forget what was set before, also what the code does not have.
        :raises RevisionError: If the target is not found.
        """
        await self._on_databases(commands.migrate.stamp, target, purge)

    async def upgrade(
        self, target: StepTarget = "heads", *, retry: bool = False
    ) -> list[Script]:
        """Apply revisions, up to a target.

        :param target: The revision or revisions to go up to, or how many to apply.
        :param retry: Run a revision again that is half applied, as it was undone by
            hand. Only where DDL cannot be rolled back.
        :return: The revisions that were applied, in that order.
        :raises RevisionError: If the target is not found or cannot be reached.
        :raises MigrationError: If a revision fails.
        :raises PartialRevisionError: If one that failed before is half applied.
        """
        return await self._on_databases(
            commands.migrate.upgrade, target, self._report(), retry=retry
        )

    async def downgrade(
        self, target: StepTarget = -1, *, retry: bool = False
    ) -> list[Script]:
        """Take revisions back, down to a target.

        :param target: The revision to go down to, or how many to take back.
        :param retry: Run a revision again that is half taken back, as it was put back
            by hand. Only where DDL cannot be rolled back.
        :return: The revisions that were taken back, in that order.
        :raises RevisionError: If the target is not found or cannot be reached.
        :raises MigrationError: If a revision fails.
        :raises PartialRevisionError: If one that failed before is half applied.
        """
        return await self._on_databases(
            commands.migrate.downgrade, target, self._report(), retry=retry
        )

    async def revision(
        self,
        message: str,
        empty: bool = False,
        branch: str = "default",
        parent: Target = "head",
        splice: bool = False,
        depend: Target | None = None,
        label: str | c.Iterable[str] | None = None,
        path: str | None = None,
        rev_id: str | None = None,
    ) -> list[Script]:
        """Write a revision with what the models and the databases differ by.

        :param message: What it does, in a few words.
        :param empty: Write one without operations; no database is needed.
        :param branch: The named branch to add it to, which is started if there is no
            such branch. A history without branch names is continued at its head.
        :param parent: The revision or revisions that it follows.
        :param splice: Allow a parent that is no head.
        :param depend: The revision or revisions that must be applied before.
        :param label: The label or labels to give to it.
        :param path: The folder to write it to, from the app's root if relative. Left
            out, it is the folder of its branch, or of its parent.
        :param rev_id: Its id; :meth:`rev_id` makes one if left out.
        :return: The new revisions; none if there is no difference.
        :raises RevisionError: If a parent is not found, or the databases are not at
            head.
        """
        await import_for(commands.generate.revision)
        new = commands.generate.NewRevision(
            message, empty, branch, parent, splice, depend, label, path, rev_id
        )

        if commands.generate.needs_database(self.config, new):
            return await self._on_databases(commands.generate.revision, new)

        return await self._on_files(commands.generate.empty_revision, new)

    async def merge(
        self,
        revisions: Target = "heads",
        message: str | None = None,
        label: str | c.Iterable[str] | None = None,
        splice: bool = False,
    ) -> Script | None:
        """Write a revision that joins others.

        :param revisions: The revisions to join.
        :param message: What it does; made of the ``revisions`` if left out.
        :param label: The label or labels to give to it.
        :param splice: Allow revisions that are no heads.
        :return: The new revision; ``None`` if there are no two to join.
        :raises RevisionError: If one of the revisions is not found.
        """
        return await self._on_files(
            commands.generate.merge, revisions, message, label, splice
        )

    async def produce_migrations(self) -> MigrationScript:
        """Get the operations that a new revision would have. With several databases,
        ``upgrade_ops_list`` holds those of each, its ``upgrade_token`` the name.
        """
        return await self._on_databases(commands.compare.produce_migrations)

    async def compare_metadata(self) -> list[tuple[t.Any, ...]]:
        """Get the differences between the models and the databases, as Alembic's
        ``compare_metadata`` describes them.
        """
        return await self._on_databases(commands.compare.compare_metadata)

    async def needs_upgrade(self) -> bool:
        """Whether a database is not at every head.

        :raises UnknownRevisionInDatabaseError: If the code does not have a revision
            that a database is at.
        """
        return await self._on_databases(commands.inspect.needs_upgrade)

    async def needs_revision(self) -> bool:
        """Whether the models differ from the databases."""
        return await self._on_databases(commands.compare.needs_revision)

    async def status(self) -> dict[str, DatabaseStatus]:
        """Get where each database stands, compared with the revision files.

        :return: The status of each database by its name.
        """
        return await self._on_databases(commands.inspect.status_of_all)

    async def wait_until_current(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Wait until another process has brought every database to head.

        :param timeout: How long to wait at the most, in seconds.
        :raises WaitTimeoutError: If a database is not current by then.
        :raises UnknownRevisionInDatabaseError: If one is at a revision that the code
            does not have, as no waiting helps then.
        """
        from ..commands.waiting import Waiting

        waiting = Waiting(timeout)
        look = commands.inspect.status_unless_locked

        while (delay := waiting.next_delay(await self._on_databases(look))) is not None:
            await self._sleep(delay)

    async def run_migrations(self, fn: Steps, **kwargs: t.Any) -> None:
        """Run the migrations that a function picks, on each database.

        :param fn: Called with the current heads and the ``MigrationContext``, returns
            the steps to run.
        :param kwargs: Passed to ``upgrade`` or ``downgrade`` of each revision.
        """
        await self._on_databases(commands.migrate.run_migrations, fn, **kwargs)

    async def run(self, fn: c.Callable[[Environment], T]) -> T:
        """Call a synchronous function with the open databases, in one transaction.

        :param fn: Called with an environment, which has ``context`` and ``op``, and
            ``contexts`` and ``ops`` by the names of several databases.
        :return: What it returned.
        """
        return await self._on_databases(commands.migrate.run, fn)

    @property
    def op(self) -> AwaitedProxy:
        """Alembic's operations on the default database, awaited, each in a transaction
        of its own.
        """
        return AwaitedProxy(
            "op", lambda fn: self._on_databases(commands.migrate.use_op, None, fn)
        )

    @property
    def context(self) -> AwaitedProxy:
        """Alembic's migration context of the default database, awaited."""
        return AwaitedProxy(
            "context",
            lambda fn: self._on_databases(commands.inspect.use_context, None, fn),
        )

    async def _with_files(
        self, fn: c.Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function that reads or writes files, in a thread."""
        await import_for(fn)
        import anyio.to_thread

        return await anyio.to_thread.run_sync(lambda: fn(*args, **kwargs))

    async def _on_files(
        self, command: FilesCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        app = self._app()
        await import_for(command)
        from ..running.dispatch import await_on_files

        return await await_on_files(
            lambda: self._project(app), command, *args, **kwargs
        )

    async def _on_databases(
        self, command: DatabaseCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        app = self._app()
        await import_for(command)
        from ..running.dispatch import await_on_databases

        return await await_on_databases(
            lambda: self._project(app),
            self._registry.state(app).databases(app),
            command,
            *args,
            **kwargs,
        )

    async def _sleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)
