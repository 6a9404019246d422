"""The extension with async methods; those that need databases.

``blocking.py`` is generated from this file: run ``make blocking`` after a change.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from .. import commands
from ..errors import DatabaseConnectionError
from .awaited_tenants import AwaitedTenants
from .proxies import AwaitedProxy

if t.TYPE_CHECKING:
    from alembic.operations import MigrationScript
    from alembic.script import Script

    from ..history.targets import StepTarget
    from ..history.targets import Target
    from ..migration.environment import Environment
    from ..migration.environment import Steps
    from ..plans import Plan
    from ..results import Adoption
    from ..results import AppliedRevision
    from ..results import DatabaseStatus

T = t.TypeVar("T")


class Alembic(AwaitedTenants):
    """Database migrations for a :class:`~quart.app.Quart` or :class:`~flask.Flask` app,
    with async methods.

    With an ``AsyncEngine``, the methods run on the caller's event loop; with an
    ``Engine``, in a worker thread. :attr:`sync` has the same methods, blocking.

    The methods need an app context only if several apps are registered.

    :param app: Call :meth:`init_app` with this app.
    :param metadatas: The metadata of the models: one
        :class:`~sqlalchemy.schema.MetaData`, a list of them, or a dict of either by
        database name. If omitted, it is taken from Flask-SQLAlchemy or Advanced
        Alchemy.
    :param engines: The databases: an :class:`~sqlalchemy.engine.Engine`, an
        :class:`~sqlalchemy.ext.asyncio.AsyncEngine`, a dict of engines of one kind by
        database name, or a callable that returns either and is called on first use. If
        omitted, they are taken from Flask-SQLAlchemy, Flask-SQLAlchemy-Lite or Advanced
        Alchemy, else from ``ALEMBIC["sqlalchemy.url"]``.
    :param run_mkdir: Whether to call :meth:`mkdir` when an app is registered and a
        folder is missing.
    :param command_name: The name of the :class:`click.Group` to add to the app's
        command line. If empty, no group is added.
    :param tenants: The tenants of the app: a function, which may be async, that returns
        the names of their schemas in the default database, or a dict of the
        :class:`~sqlalchemy.engine.URL` or engine of each one's database by name, or a
        function that returns such a dict.
    :param tenant_metadatas: The metadata of the tenants' models; by default, that of
        the default database.
    """

    async def current(self) -> tuple[Script, ...]:
        """Get the current revisions of the databases.

        :return: The revisions of all databases, without duplicates.
        :raises UnknownRevisionInDatabaseError: If the code does not have one of them.
        """
        return await self._on_databases(commands.inspect.current)

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
            retry=retry,
            resume=resume,
        )

    async def adopt(self) -> dict[str, Adoption]:
        """Put databases under migrations that were made without them. An empty one is
        upgraded. One that is equal to the models is stamped with the heads. In one that
        is neither, nothing is written.

        :return: What was found and done, by the name of the database.
        :raises RevisionError: If there are no revisions.
        :raises MigrationError: If a revision fails.
        """
        return await self._on_databases(commands.adopt.adopt)

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
            retry=retry,
            resume=resume,
        )

    async def plan(
        self, target: StepTarget = "heads", *, trace: bool = False
    ) -> dict[str, Plan]:
        """Tell what an upgrade would do to each database, without doing it: nothing is
        written, and no lock is taken.

        :param target: As of :meth:`upgrade`.
        :param trace: Whether to upgrade a scratch copy and to observe what the server
            does. It is a new database on the same server, which is migrated as far as
            the database is, and dropped at the end.
        :return: The plan of each database by its name.
        :raises RevisionError: If the target is not found or cannot be reached.
        :raises PlanError: If there can be no trace, or a revision fails in it.
        """
        await self._find_tenant()

        with self._guarded():
            plans = await self._on_databases(commands.plan.plan, target)

        if not trace or not any(plan.revisions for plan in plans.values()):
            return plans

        current = {name: plan.current for name, plan in plans.items()}
        return await self._on_scratch(commands.trace.trace, target, current)

    async def produce_migrations(self) -> MigrationScript:
        """Get the operations that a new revision would have, as Alembic's
        :func:`~alembic.autogenerate.produce_migrations` does. With several databases,
        ``upgrade_ops_list`` has an item for each, whose ``upgrade_token`` names the
        database.
        """
        return await self._on_databases(commands.compare.produce_migrations)

    async def compare_metadata(self) -> list[t.Any]:
        """Get the differences between models and databases, in the format of Alembic's
        :func:`~alembic.autogenerate.compare_metadata`.
        """
        return await self._on_databases(commands.compare.compare_metadata)

    async def drift(self) -> dict[str, list[str]]:
        """Get what is in the databases that their revisions do not make, and what is
        missing. The revisions that a database is at are run in a new one on the same
        server, which is dropped at the end.

        Tables that comparisons with the models leave out are left out here, too.

        :return: A line for each difference, by the name of the database: what begins
            with ``+`` is in the database, what begins with ``-`` is made by the
            revisions.
        :raises UnknownRevisionInDatabaseError: If the code does not have a revision
            that a database is at.
        :raises PlanError: If there can be no new database, or a revision fails in it.
        """
        found = await self._on_databases(commands.drift.read)
        return await self._on_scratch(commands.drift.compare, found)

    async def unknown_tables(self) -> dict[str, list[str]]:
        """Get the tables that are in no model, and that no revision has created. Nobody
        drops them unless :meth:`revision` is told to.

        :return: The tables of each database, by its name, with their schema unless it
            is the default one. They are empty if ``ALEMBIC_DROP_UNKNOWN_TABLES`` is
            set.
        """
        return await self._on_databases(commands.compare.unknown_tables)

    async def possible_renames(self) -> dict[str, list[str]]:
        """Get the tables and columns that may have been renamed: one went, while one of
        the same shape came. Unless :meth:`revision` is told so, it drops the one with
        its data, and adds the other.

        :return: What its argument ``rename`` takes, by the name of the database.
        """
        return await self._on_databases(commands.compare.possible_renames)

    async def needs_upgrade(self) -> bool:
        """Whether a database is not at all heads.

        :raises UnknownRevisionInDatabaseError: If the code does not have a revision
            that a database is at.
        """
        return await self._on_databases(commands.inspect.needs_upgrade)

    async def needs_revision(self) -> bool:
        """Whether the models differ from the databases."""
        return await self._on_databases(commands.compare.needs_revision)

    async def status(self, *, details: bool = False) -> dict[str, DatabaseStatus]:
        """Get the state of each database, compared with the revision files. Usually
        takes one query.

        :param details: Whether to look for who is migrating the database, and for a
            half applied revision, which takes some more queries.
        :return: The status of each database by its name.
        """
        if details:
            return await self._on_databases(commands.inspect.detailed_status_of_all)

        return await self._on_databases(commands.inspect.status_of_all)

    async def applied(self) -> list[AppliedRevision]:
        """Get who has run which revision, the newest first, as far as ``ALEMBIC_AUDIT``
        was set.
        """
        return await self._on_databases(commands.audit.applied)

    async def wait_until_current(
        self,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        allow_ahead: bool = False,
    ) -> None:
        """Wait until another process has upgraded every database to head. A server that
        cannot be reached is waited for, too.

        :param timeout: The longest time to wait, in seconds; ``None`` for no limit.
        :param allow_ahead: Whether to go on if newer code has migrated a database
            further, as when a process of the old release starts during a roll-out.
        :raises WaitTimeoutError: If a database is not current when the timeout expires.
        :raises UnknownRevisionInDatabaseError: If a database is at a revision that the
            code does not have, unless that is allowed.
        :raises DatabaseConnectionError: If a server refuses the login.
        """
        from ..commands.waiting import Waiting

        waiting = Waiting(timeout, allow_ahead)
        delay: float | None = 0.0

        while delay is not None:
            await self._sleep(delay)

            try:
                found = await self._on_waited_for(
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

        :param fn: A function that takes the current heads and the
            :class:`~alembic.runtime.migration.MigrationContext`, and returns the steps
            to run.
        :param kwargs: Passed to ``upgrade`` or ``downgrade`` of each revision.
        """
        await self._on_databases(commands.migrate.run_migrations, fn, **kwargs)

    async def run(self, fn: c.Callable[[Environment], T]) -> T:
        """Call a sync function with the open databases, in one transaction.

        :param fn: A function that takes an :class:`.Environment`, which has ``context``
            and ``op``, and ``contexts`` and ``ops`` by database name.
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
