"""The async methods for many tenants.

``blocking_tenants.py`` is generated from this file: run ``make blocking`` after a
change.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from .. import commands
from ..errors import DatabaseConnectionError
from .awaited_history import AwaitedHistory

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..history.targets import StepTarget
    from ..history.targets import Target
    from ..plans import Plan
    from ..results import DatabaseStatus
    from ..results import TenantResults


class AwaitedTenants(AwaitedHistory):
    """Works on many tenants, awaited."""

    async def tenant_names(self) -> list[str]:
        """Get the names of all tenants, as ``tenants`` gives them."""
        return (await self._find_tenants()).names()

    async def create_tenant(
        self, name: str, *, template: str | None = None
    ) -> list[Script]:
        """Create the schema or the database of a new tenant, unless it exists, and
        apply all revisions.

        :param name: The name of the tenant. If each has a database, ``tenants`` must
            give the URL of the new one.
        :param template: The name of a tenant whose database is copied, with all of its
            rows, so that only revisions that it does not have are left to be applied.
            On PostgreSQL, nobody may be connected to it. Schemas and databases of
            MariaDB and MySQL cannot be copied.
        :return: The revisions that were applied, in order.
        :raises TargetError: If the extension has no tenants, or no URL for this one, or
            if the template is on another server.
        :raises ConfigurationError: If the template cannot be copied.
        :raises MigrationError: If a revision fails.
        """
        from .tenant_calls import bind_copy
        from .tenant_calls import bind_maintenance
        from .tenant_calls import bind_shared

        tenants = await self._find_tenants()
        tenants.check_new(name)

        if template is not None:
            project, other, source, copy = bind_copy(self, tenants, template, name)
            copy_database = commands.tenants.copy_database
            await self._on_bound(project, other, copy_database, source, copy)

        project, shared = bind_shared(self, self._app(), tenants)
        new = self.with_options(tenant=name)

        if shared is not None:
            create_schema = commands.tenants.create_schema
            await self._on_bound(project, shared, create_schema, name)
            await new._use_schema_of(tenants, name)
            return await new._on_databases(commands.upgrade.upgrade, "heads")

        await new._use_schema_of(tenants, name)

        try:
            return await new._on_databases(commands.upgrade.upgrade, "heads")
        except DatabaseConnectionError:
            if (bound := bind_maintenance(self, tenants, name)) is None:
                raise

        project, other, database = bound
        create_database = commands.tenants.create_database
        await self._on_bound(project, other, create_database, database)
        return await new._on_databases(commands.upgrade.upgrade, "heads")

    def upgrade_tenants(
        self,
        target: StepTarget = "heads",
        *,
        retry: bool = False,
        resume: bool = False,
        only: c.Iterable[str] | None = None,
        limit: int = 10,
        keep_going: bool = True,
        timeout: float | None = None,
    ) -> TenantResults[list[Script]]:
        """Upgrade tenants, some of them at once. Others may do the same on as many
        machines as one likes: a tenant that somebody else is migrating is come back to
        when all others are done.

        A tenant whose upgrade fails is rolled back, and its result has the error. The
        same goes for those at work when the iteration is ended early or cancelled.

        :param target: As of :meth:`upgrade`.
        :param retry: As of :meth:`upgrade`, for the tenants with a half applied
            revision.
        :param resume: As of :meth:`upgrade`, for the tenants with a half applied
            revision.
        :param only: The names of some tenants, or one name, instead of all.
        :param limit: How many tenants to work on at once, each with a connection.
            There are fewer where a server admits no more.
        :param keep_going: Whether to go on after a tenant has failed. Otherwise, those
            at work are finished, and no other is begun.
        :param timeout: How long to come back to a tenant that is locked, or cannot be
            connected to, in seconds; by default, ``ALEMBIC_LOCK_TIMEOUT``, and 30 s
            while no connection can be made to its server.
        :return: The result of each tenant, as soon as it is there.
        :raises TargetError: If the extension has no tenants, or none of a name, or if
            the function that gives them fails.
        :raises RevisionError: If the target does not exist.
        :raises ConfigurationError: If an argument has a wrong type or value.
        """
        from ..running.tenants import TenantCommand
        from .tenant_calls import existing
        from .tenant_calls import nothing_to_upgrade
        from .tenant_calls import TenantOptions

        return self._over_tenants(
            TenantOptions(only, limit, keep_going, timeout),
            TenantCommand(
                commands.upgrade.upgrade,
                (target,),
                {"retry": retry, "resume": resume},
                check=existing(target, 1),
                takes_heads=True,
                known=nothing_to_upgrade(target),
            ),
        )

    def downgrade_tenants(
        self,
        target: StepTarget = -1,
        *,
        retry: bool = False,
        resume: bool = False,
        only: c.Iterable[str] | None = None,
        limit: int = 10,
        keep_going: bool = True,
        timeout: float | None = None,
    ) -> TenantResults[list[Script]]:
        """Downgrade tenants; see :meth:`upgrade_tenants`.

        :param target: As of :meth:`downgrade`. Use an id: a number of steps goes
            further down when it is run again.
        :param retry: As of :meth:`upgrade_tenants`.
        :param resume: As of :meth:`upgrade_tenants`.
        :param only: As of :meth:`upgrade_tenants`.
        :param limit: As of :meth:`upgrade_tenants`.
        :param keep_going: As of :meth:`upgrade_tenants`.
        :param timeout: As of :meth:`upgrade_tenants`.
        """
        from ..running.tenants import TenantCommand
        from .tenant_calls import existing
        from .tenant_calls import TenantOptions

        return self._over_tenants(
            TenantOptions(only, limit, keep_going, timeout),
            TenantCommand(
                commands.migrate.downgrade,
                (target,),
                {"retry": retry, "resume": resume},
                check=existing(target, -1),
            ),
        )

    def stamp_tenants(
        self,
        target: Target = "heads",
        *,
        purge: bool = False,
        only: c.Iterable[str] | None = None,
        limit: int = 10,
        keep_going: bool = True,
        timeout: float | None = None,
    ) -> TenantResults[None]:
        """Set the current revision of tenants; see :meth:`stamp` and
        :meth:`upgrade_tenants`.

        :param target: As of :meth:`stamp`.
        :param purge: As of :meth:`stamp`.
        :param only: As of :meth:`upgrade_tenants`.
        :param limit: As of :meth:`upgrade_tenants`.
        :param keep_going: As of :meth:`upgrade_tenants`.
        :param timeout: As of :meth:`upgrade_tenants`.
        """
        from ..running.tenants import TenantCommand
        from .tenant_calls import existing
        from .tenant_calls import TenantOptions

        return self._over_tenants(
            TenantOptions(only, limit, keep_going, timeout),
            TenantCommand(
                commands.migrate.stamp,
                (target, purge),
                check=existing(target, None),
            ),
        )

    def status_of_tenants(
        self,
        *,
        only: c.Iterable[str] | None = None,
        limit: int = 10,
        keep_going: bool = True,
        timeout: float | None = None,
    ) -> TenantResults[DatabaseStatus]:
        """Get the state of tenants; see :meth:`status` and :meth:`upgrade_tenants`.
        Schemas of one database take a query for 200 of them.

        :param only: As of :meth:`upgrade_tenants`.
        :param limit: As of :meth:`upgrade_tenants`.
        :param keep_going: As of :meth:`upgrade_tenants`.
        :param timeout: As of :meth:`upgrade_tenants`.
        """
        from ..running.tenants import TenantCommand
        from .tenant_calls import TenantOptions

        return self._over_tenants(
            TenantOptions(only, limit, keep_going, timeout),
            TenantCommand(commands.tenants.status, by_heads=True),
        )

    def check_tenants(
        self,
        *,
        only: c.Iterable[str] | None = None,
        limit: int = 10,
        keep_going: bool = True,
        timeout: float | None = None,
    ) -> TenantResults[list[str]]:
        """Compare the models with the database of each tenant; see
        :meth:`upgrade_tenants`. A value has a line for each difference.

        :param only: As of :meth:`upgrade_tenants`.
        :param limit: As of :meth:`upgrade_tenants`.
        :param keep_going: As of :meth:`upgrade_tenants`.
        :param timeout: As of :meth:`upgrade_tenants`.
        """
        from ..running.tenants import TenantCommand
        from .tenant_calls import TenantOptions

        return self._over_tenants(
            TenantOptions(only, limit, keep_going, timeout),
            TenantCommand(commands.tenants.check),
        )

    def plan_tenants(
        self,
        target: StepTarget = "heads",
        *,
        only: c.Iterable[str] | None = None,
        limit: int = 10,
        keep_going: bool = True,
        timeout: float | None = None,
    ) -> TenantResults[Plan]:
        """Tell what an upgrade would do to tenants; see :meth:`plan` and
        :meth:`upgrade_tenants`. Schemas of one database that are at the same revisions
        are planned together, on one of them.

        :param target: As of :meth:`upgrade`.
        :param only: As of :meth:`upgrade_tenants`.
        :param limit: As of :meth:`upgrade_tenants`.
        :param keep_going: As of :meth:`upgrade_tenants`.
        :param timeout: As of :meth:`upgrade_tenants`.
        """
        from ..running.tenants import TenantCommand
        from .tenant_calls import existing
        from .tenant_calls import TenantOptions

        return self._over_tenants(
            TenantOptions(only, limit, keep_going, timeout),
            TenantCommand(
                commands.tenants.plan,
                (target,),
                check=existing(target, 1),
                by_heads=True,
            ),
        )
