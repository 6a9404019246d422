"""What a call for many tenants needs of an extension."""

from __future__ import annotations

import collections.abc as c
import functools
import typing as t

from ..apps.names import default_name
from ..apps.tenants import ANY_TENANT
from ..apps.tenants import Tenants
from ..commands.upgrade import is_at
from ..errors import ConfigurationError
from ..errors import TargetError
from ..running.tenants import TenantCall

if t.TYPE_CHECKING:
    from alembic.script import Script
    from flask.sansio.app import App

    from ..apps.databases import AnyEngine
    from ..apps.databases import Databases
    from ..apps.project import Project
    from ..apps.tenants import Given
    from ..apps.tenants import Tenant
    from ..apps.tenants import TenantSource
    from ..history.targets import StepTarget
    from ..running.tenants import TenantCommand
    from .base import BaseAlembic

T = t.TypeVar("T")
#: How long to come back to tenants while no connection can be made to any, in seconds.
CONNECT_TIMEOUT = 30.0


class TenantOptions(t.NamedTuple):
    """How to work on tenants; see :meth:`.Alembic.upgrade_tenants`."""

    only: c.Iterable[str] | None
    limit: int
    keep_going: bool
    timeout: float | None


def source_of(extension: BaseAlembic) -> TenantSource:
    """Return what an extension was given as ``tenants``.

    :raises TargetError: If it was given nothing.
    """
    source = extension._registry.arguments.tenants

    if source is None:
        raise TargetError(
            "The extension has no tenants. Pass 'tenants' when creating it: a function"
            " that returns the names of schemas, or a dict of URLs by name."
        )

    return source


def tenants_of(extension: BaseAlembic, given: Given) -> Tenants:
    """Return the tenants of an app.

    :param given: What its ``tenants`` has given.
    """
    app = extension._app()
    return Tenants(given, functools.partial(_shared_engine, extension, app))


def make_call(
    extension: BaseAlembic,
    tenants: Tenants,
    options: TenantOptions,
    command: TenantCommand[T],
) -> TenantCall[T]:
    """Return a call that runs a command for tenants."""
    if isinstance(options.limit, bool) or options.limit < 1:
        raise ConfigurationError(
            f"'limit' must be how many tenants to migrate at once, not {options.limit}."
        )

    app = extension._app()

    if options.timeout is None:
        lock_timeout = extension._registry.state(app).settings(app).lock_timeout
        connect_timeout = CONNECT_TIMEOUT
    else:
        lock_timeout = connect_timeout = options.timeout

    return TenantCall(
        command,
        tenants,
        tenants.names(options.only),
        functools.partial(_bind, extension, app),
        functools.partial(bind_shared, extension, app, tenants),
        options.limit,
        options.keep_going,
        lock_timeout,
        connect_timeout,
    )


def nothing_to_upgrade(
    target: StepTarget,
) -> c.Callable[[Project, tuple[str, ...]], list[Script] | None]:
    """Return a function that tells which upgrades have nothing to do."""
    return lambda project, at: [] if is_at(project.files.graph, target, at) else None


def _bind(
    extension: BaseAlembic, app: App, tenant: Tenant
) -> tuple[Project, Databases]:
    project, state = _project(extension, app, tenant)
    # Whoever finds a lock goes on with another tenant.
    config = {**project.settings.app_config, "ALEMBIC_LOCK_TIMEOUT": 0}
    settings = project.settings.with_config(config)
    return project._replace(settings=settings), state.databases(app)


def bind_shared(
    extension: BaseAlembic, app: App, tenants: Tenants
) -> tuple[Project, Databases | None]:
    """Return the project of all tenants, and the database that has their schemas, if
    one has.
    """
    project, _ = _project(extension, app, ANY_TENANT)

    if tenants.shared_engine is None:
        return project, None

    databases = extension._registry.base_state(app).databases(app)
    return project, databases.only([default_name(databases.engines)])


def _project(extension: BaseAlembic, app: App, tenant: Tenant) -> tuple[Project, t.Any]:
    registry = extension._registry.with_options(tenant=tenant)
    bound = extension._with_registry(registry)
    return bound._project(app), registry.state(app)


def bind_maintenance(
    extension: BaseAlembic, tenants: Tenants, name: str
) -> tuple[Project, Databases, str] | None:
    """Return what creating the database of a tenant needs: another database of its
    server, and the name of the new one; ``None`` if that cannot help.
    """
    if (found := tenants.maintenance(name)) is None:
        return None

    project, state = _project(extension, extension._app(), found)
    url = tenants.find(name).engine.url  # type: ignore[union-attr]
    return project, state.databases(extension._app()), url.database or ""


def _shared_engine(extension: BaseAlembic, app: App) -> AnyEngine:
    engines: t.Any = extension._registry.base_state(app).databases(app).engines
    return t.cast("AnyEngine", engines[default_name(engines)])
