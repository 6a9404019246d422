"""The extension with async methods.

``blocking.py`` is generated from this file: run ``make blocking`` after a change.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from .. import commands
from ..errors import DatabaseConnectionError
from ..history.targets import includes_current
from ..running.imports import import_for
from .awaited_base import AwaitedBase
from .proxies import AwaitedProxy

if t.TYPE_CHECKING:
    from alembic.operations import MigrationScript
    from alembic.script import Script

    from ..history.targets import StepTarget
    from ..history.targets import Target
    from ..migration.environment import Environment
    from ..migration.environment import Steps
    from ..results import DatabaseStatus

T = t.TypeVar("T")


class Alembic(AwaitedBase):
    """Database migrations for a Quart or Flask app, with async methods.

    With an ``AsyncEngine``, the methods run on the caller's event loop; with an
    ``Engine``, in a worker thread. :attr:`sync` has the same methods, blocking.

    The methods need an app context only if several apps are registered.

    :param app: Call :meth:`init_app` with this app.
    :param metadatas: The metadata of the models: one :class:`~sqlalchemy.MetaData`, a
        list of them, or a dict of either by database name. If omitted, it is taken from
        Flask-SQLAlchemy or Advanced Alchemy.
    :param engines: The databases: an :class:`~sqlalchemy.Engine`, an
        :class:`~sqlalchemy.ext.asyncio.AsyncEngine`, a dict of engines of one kind by
        database name, or a callable that returns either and is called on first use. If
        omitted, they are taken from Flask-SQLAlchemy, Flask-SQLAlchemy-Lite or Advanced
        Alchemy, else from ``ALEMBIC["sqlalchemy.url"]``.
    :param run_mkdir: Whether to call :meth:`mkdir` when an app is registered and a
        folder is missing.
    :param command_name: The name of the command group to add to the app's command line.
        If empty, no group is added.
    """

    async def mkdir(self) -> None:
        """Create the script directory and its template, if they are missing."""
        await self._do_file_io(self._mkdir, self._app())

    async def init(
        self, template: str | None = None, package: bool = False
    ) -> list[str]:
        """Create the script directory with its template and a ``README``. No ``env.py``
        is written, as none is needed.

        :param template: The template of new revisions: one of :meth:`list_templates`,
            or the path of a folder that has a ``script.py.mako``. By default, the one
            for as many databases as the app has.
        :param package: Whether to make a Python package of each folder.
        :return: The paths of the files that were created.
        :raises ConfigurationError: If there is no such template, or another one was
            edited.
        """
        return await self._do_file_io(self._init, self._app(), template, package)

    async def list_templates(self) -> dict[str, str]:
        """Get the descriptions of the templates of new revisions, by their names."""
        return await self._do_file_io(commands.script_directory.list_templates)

    async def current(self) -> tuple[Script, ...]:
        """Get the current revisions of the databases.

        :return: The revisions of all databases, without duplicates.
        :raises UnknownRevisionInDatabaseError: If the code does not have one of them.
        """
        return await self._on_databases(commands.inspect.current)

    async def heads(self, resolve_dependencies: bool = False) -> tuple[Script, ...]:
        """Get the revisions that have no child revisions.

        :param resolve_dependencies: Whether to treat dependencies as down revisions.
        """
        return await self._on_files(commands.inspect.heads, resolve_dependencies)

    async def branches(self) -> list[Script]:
        """Get the revisions that have more than one child revision."""
        return await self._on_files(commands.history.branches)

    async def log(self, start: Target = "base", end: Target = "heads") -> list[Script]:
        """Get the revisions from the newest to the oldest.

        :param start: The oldest revision; ``"current"`` for the databases' current one.
        :param end: The newest revision; accepts ``"current"`` as well.
        :raises RevisionError: If one of them is not found.
        """
        if includes_current(start, end):
            return await self._on_databases(
                commands.history.log_from_current, start, end
            )

        return await self._on_files(commands.history.log, start, end)

    async def show(self, revisions: Target = "heads") -> tuple[Script, ...]:
        """Get revisions.

        :param revisions: The revision or revisions; ``"current"`` for the databases'
            current ones.
        :raises RevisionError: If one of them is not found.
        """
        if includes_current(revisions):
            return await self._on_databases(commands.history.show_current, revisions)

        return await self._on_files(commands.history.show, revisions)

    async def stamp(self, target: Target = "heads", *, purge: bool = False) -> None:
        """Set the current revision of the databases, without running any migration.

        :param target: The revision or revisions to set.
        :param purge: Whether to empty the version table first. This also removes
            revisions that the code does not have.
        :raises RevisionError: If the target is not found.
        """
        await self._on_databases(commands.migrate.stamp, target, purge)

    async def upgrade(
        self, target: StepTarget = "heads", *, retry: bool = False, resume: bool = False
    ) -> list[Script]:
        """Apply revisions, up to a target.

        :param target: The revision or revisions to upgrade to, or how many to apply.
        :param retry: Whether to run a half applied revision again, after it was undone
            by hand. Only needed if the database cannot roll back DDL.
        :param resume: Whether to continue a half applied revision after the statements
            that are known to be applied.
        :return: The revisions that were applied, in order.
        :raises RevisionError: If the target is not found or cannot be reached.
        :raises MigrationError: If a revision fails.
        :raises PartialRevisionError: If a revision that failed earlier is half applied.
        :raises ResumeError: If it cannot be resumed.
        """
        return await self._on_databases(
            commands.upgrade.upgrade,
            target,
            self._report(),
            retry=retry,
            resume=resume,
        )

    async def downgrade(
        self, target: StepTarget = -1, *, retry: bool = False, resume: bool = False
    ) -> list[Script]:
        """Revert revisions, down to a target.

        :param target: The revision to downgrade to, or how many to revert.
        :param retry: Whether to run a half reverted revision again, after it was
            restored by hand. Only needed if the database cannot roll back DDL.
        :param resume: Whether to continue a half reverted revision after the statements
            that are known to be applied.
        :return: The revisions that were reverted, in order.
        :raises RevisionError: If the target is not found or cannot be reached.
        :raises MigrationError: If a revision fails.
        :raises PartialRevisionError: If a revision that failed earlier is half applied.
        :raises ResumeError: If it cannot be resumed.
        """
        return await self._on_databases(
            commands.migrate.downgrade,
            target,
            self._report(),
            retry=retry,
            resume=resume,
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
        """Write a revision from the differences between models and databases.

        :param message: A short description of the revision.
        :param empty: Whether to write a revision without operations, which needs no
            database.
        :param branch: The named branch of the revision. If it does not exist, it is
            started. A history without branch names is continued at its head.
        :param parent: The parent revision or revisions.
        :param splice: Whether to allow a parent that is not a head.
        :param depend: The revision or revisions that must be applied first.
        :param label: The label or labels of the revision.
        :param path: The folder to write to, relative to the app's root. By default, the
            folder of the branch or of the parent.
        :param rev_id: The id of the revision. By default, :meth:`rev_id` returns one.
        :return: The new revisions; empty if there are no differences.
        :raises RevisionError: If a parent is not found, or the databases are not at
            head.
        """
        await import_for(commands.generate.revision)
        new = commands.generate.NewRevision(
            message, empty, branch, parent, splice, depend, label, path, rev_id
        )

        turn = await self._wait_for_turn()

        try:
            if commands.generate.needs_database(self.config, new):
                return await self._on_databases(commands.generate.revision, new)

            return await self._on_files(commands.generate.empty_revision, new)
        finally:
            turn.release()

    async def merge(
        self,
        revisions: Target = "heads",
        message: str | None = None,
        label: str | c.Iterable[str] | None = None,
        splice: bool = False,
        rev_id: str | None = None,
    ) -> Script | None:
        """Write a revision that merges others.

        :param revisions: The revisions to merge.
        :param message: A short description of the revision. By default, it names the
            ``revisions``.
        :param label: The label or labels of the revision.
        :param splice: Whether to allow revisions that are not heads.
        :param rev_id: The id of the revision. By default, :meth:`rev_id` returns one.
        :return: The new revision, or ``None`` if there are fewer than two to merge.
        :raises RevisionError: If one of the revisions is not found.
        """
        turn = await self._wait_for_turn()

        try:
            return await self._on_files(
                commands.generate.merge, revisions, message, label, splice, rev_id
            )
        finally:
            turn.release()

    async def produce_migrations(self) -> MigrationScript:
        """Get the operations that a new revision would have. With several databases,
        ``upgrade_ops_list`` has an item for each, whose ``upgrade_token`` names the
        database.
        """
        return await self._on_databases(commands.compare.produce_migrations)

    async def compare_metadata(self) -> list[tuple[t.Any, ...]]:
        """Get the differences between models and databases, in the format of Alembic's
        ``compare_metadata``.
        """
        return await self._on_databases(commands.compare.compare_metadata)

    async def needs_upgrade(self) -> bool:
        """Whether a database is not at all heads.

        :raises UnknownRevisionInDatabaseError: If the code does not have a revision
            that a database is at.
        """
        return await self._on_databases(commands.inspect.needs_upgrade)

    async def needs_revision(self) -> bool:
        """Whether the models differ from the databases."""
        return await self._on_databases(commands.compare.needs_revision)

    async def status(self) -> dict[str, DatabaseStatus]:
        """Get the state of each database, compared with the revision files.

        :return: The status of each database by its name.
        """
        return await self._on_databases(commands.inspect.status_of_all)

    async def wait_until_current(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Wait until another process has upgraded every database to head. A server that
        cannot be reached is waited for, too.

        :param timeout: The longest time to wait, in seconds; ``None`` for no limit.
        :raises WaitTimeoutError: If a database is not current when the timeout expires.
        :raises UnknownRevisionInDatabaseError: If a database is at a revision that the
            code does not have.
        :raises DatabaseConnectionError: If a server refuses the login.
        """
        from ..commands.waiting import Waiting

        waiting = Waiting(timeout)
        delay: float | None = 0.0

        while delay is not None:
            await self._sleep(delay)

            try:
                found = await self._on_databases(
                    commands.inspect.positions_if_readable, waiting.empty
                )
                delay = waiting.next_delay(found)
            except DatabaseConnectionError as e:
                delay = waiting.delay_after(e)

    async def ensure_version(self) -> list[str]:
        """Create the version table where it is missing.

        :return: The names of the databases that it was created in.
        """
        return await self._on_databases(commands.tables.ensure_version)

    async def drop_all(self) -> dict[str, list[str]]:
        """Drop the tables of the models with all their rows, and the version table.
        Other tables stay.

        :return: The names of the dropped tables, by the name of the database.
        """
        return await self._on_databases(commands.tables.drop_all)

    async def run_migrations(self, fn: Steps, **kwargs: t.Any) -> None:
        """Run the migration steps that a function returns, on each database.

        :param fn: A function that takes the current heads and the ``MigrationContext``,
            and returns the steps to run.
        :param kwargs: Passed to ``upgrade`` or ``downgrade`` of each revision.
        """
        await self._on_databases(commands.migrate.run_migrations, fn, **kwargs)

    async def run(self, fn: c.Callable[[Environment], T]) -> T:
        """Call a sync function with the open databases, in one transaction.

        :param fn: A function that takes an environment, which has ``context`` and
            ``op``, and ``contexts`` and ``ops`` by database name.
        :return: The function's result.
        """
        return await self._on_databases(commands.migrate.run, fn)

    @property
    def op(self) -> AwaitedProxy:
        """Alembic's operations on the default database, awaited, each in its own
        transaction.
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
