"""What a call for many tenants needs of an extension."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import functools
import typing as t

from .. import commands
from ..apps.names import default_name
from ..apps.tenants import ANY_TENANT
from ..apps.tenants import Tenants
from ..commands.deferred import Deferred
from ..commands.upgrade import is_at
from ..errors import ConfigurationError
from ..errors import TargetError
from ..history.targets import to_ids
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
    from ..migration.environment import Environment
    from ..running.dispatch import DatabaseCommand
    from ..running.tenants import TenantCommand
    from .base import BaseAlembic

P = t.ParamSpec("P")
T = t.TypeVar("T")
#: How long to come back to tenants while no connection can be made to any, in seconds.
CONNECT_TIMEOUT = 30.0


@dataclasses.dataclass
class TenantOptions:
    """How to work on tenants; see :meth:`.Alembic.upgrade_tenants`.

    :raises ConfigurationError: If one of them has a wrong type or value.
    """

    only: c.Iterable[str] | None
    limit: int
    keep_going: bool
    timeout: float | None

    def __post_init__(self) -> None:
        if self.only is not None:
            self.only = _names(self.only)

        if not _is_number(self.limit, int) or self.limit < 1:
            _refuse("limit", self.limit, "how many tenants to work on at once")

        if self.timeout is not None and not (
            _is_number(self.timeout, (int, float)) and self.timeout >= 0
        ):
            _refuse("timeout", self.timeout, "a number of seconds, 0 or more, or None")


def _names(only: t.Any) -> list[str]:
    is_list = isinstance(only, c.Iterable) and not isinstance(only, (str, bytes))
    names: list[t.Any] = [*only] if is_list else [only]

    if not all(isinstance(name, str) for name in names):
        _refuse("only", only, "a list of names of tenants, or None")

    return names


def _is_number(value: object, kind: t.Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _refuse(name: str, value: object, wanted: str) -> t.NoReturn:
    raise ConfigurationError(f"'{name}' must be {wanted}, not {value!r}.")


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


def in_existing_schema(command: DatabaseCommand[P, T]) -> DatabaseCommand[P, T]:
    """Return a command for one tenant that fails if its schema does not exist."""

    @functools.wraps(command)
    def checked(env: Environment, /, *args: P.args, **kwargs: P.kwargs) -> T:
        commands.tenants.check_schema(env)
        return command(env, *args, **kwargs)

    return checked


def nothing_to_upgrade(
    target: StepTarget,
) -> c.Callable[[Project, tuple[str, ...]], list[Script] | None]:
    """Return a function that tells which upgrades have nothing to do."""
    return lambda project, at: [] if is_at(project.files.graph, target, at) else None


def existing(
    target: StepTarget, sign: t.Literal[1, -1] | None
) -> c.Callable[[Project], None]:
    """Return a function that checks a target before any tenant is connected to.

    :param sign: The direction of a number of steps; ``None`` if it cannot be one.
    :raises RevisionError: If the target is empty, or of a wrong type.
    """
    ids = {*to_ids(target)}

    def check(project: Project) -> None:
        # Alembic is not imported for those that need no search.
        if not ids <= {"heads", *project.files.graph.paths}:
            Deferred("migrate", "check_target")(project, target, sign)

    return check


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


def bind_copy(
    extension: BaseAlembic, tenants: Tenants, template: str, name: str
) -> tuple[Project, Databases, str, str]:
    """Return what copying the database of a tenant needs: the database to connect to,
    and the names of the original and of the copy.
    """
    connecting, source, copy = tenants.to_copy(template, name)
    project, state = _project(extension, extension._app(), connecting)
    return project, state.databases(extension._app()), source, copy


def _shared_engine(extension: BaseAlembic, app: App) -> AnyEngine:
    engines: t.Any = extension._registry.base_state(app).databases(app).engines
    return t.cast("AnyEngine", engines[default_name(engines)])
