"""The tenants of an app: each has a schema or a database of its own.

What tells them apart, a search path and the schema of the version table, is set in the
config that the commands for one tenant see.
"""

from __future__ import annotations

import collections.abc as c
import os
import typing as t

from ..errors import ConfigurationError
from ..errors import TargetError

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from flask.sansio.app import App

    from ..history.database_names import DatabaseNames
    from .databases import AnyEngine
    from .databases import Databases
    from .databases import Metadatas

#: The URL or the engine of each tenant's database, by the name of the tenant.
TenantDatabases: t.TypeAlias = "c.Mapping[str, str | sa.URL | AnyEngine]"
#: What an app says of its tenants: the names of their schemas, or their databases.
Given: t.TypeAlias = "c.Iterable[str] | TenantDatabases"
TenantSource: t.TypeAlias = (
    "TenantDatabases | c.Callable[[], Given | c.Awaitable[Given]]"
)

_KEY = "app.config['ALEMBIC_TENANTS']"
_DEFAULTS: c.Mapping[str, t.Any] = {
    "script_location": "tenant_migrations",
    "version_locations": [],
    "search_path": [],
}


class Tenant(t.NamedTuple):
    """One tenant.

    :param name: The name of the tenant.
    :param engine: Connects to its database; ``None`` if that is not looked up yet.
    :param schema: Its schema, where the search path decides which schema is used.
    """

    name: str
    engine: AnyEngine | None = None
    schema: str | None = None


#: A tenant that nobody connects to, for what all of them share.
ANY_TENANT: Tenant = Tenant("")


class Tenants:
    """The tenants that an app has said it has.

    :param given: What the app has said.
    :param find_engine: Returns the app's engine, which the schemas belong to.
    """

    def __init__(self, given: Given, find_engine: c.Callable[[], AnyEngine]) -> None:
        if isinstance(given, str) or not hasattr(given, "__iter__"):
            raise TargetError(
                "'tenants' must give the names of schemas, or a dict of URLs or engines"
                f" by name, not {given!r}."
            )

        are_databases = isinstance(given, c.Mapping)
        named: t.Any = given if are_databases else dict.fromkeys(given)
        self._given: dict[str, t.Any] = dict(named)
        self._find_engine = None if are_databases else find_engine

        for name in t.cast("dict[t.Any, t.Any]", self._given):
            if not isinstance(name, str) or not name:
                raise TargetError(
                    f"A tenant's name must be a text that is not empty, not {name!r}."
                )

    @property
    def shared_engine(self) -> AnyEngine | None:
        """The engine that all tenants share, if they are schemas."""
        return self._find_engine() if self._find_engine is not None else None

    def keeping_connections(self, count: int) -> tuple[Tenants, AnyEngine | None]:
        """Return the same tenants with an engine that keeps its connections, and that
        engine, which is to be disposed of. A session of PostgreSQL is slow until it
        has read the catalogs that it needs.

        :param count: How many tenants are worked on at once.
        """
        from ..dialects import dialect_named
        from .engines import copied_by
        from .engines import with_kept_connections

        engine = self.shared_engine

        if engine is None or not dialect_named(engine.dialect.name).has_search_path:
            return self, None

        kept = copied_by(with_kept_connections, engine, count)
        return Tenants(self._given.keys(), lambda: kept), kept

    @property
    def uninitialized_engine(self) -> AnyEngine | None:
        """That engine, if it has not connected yet. What is learnt of the server then
        must not be learnt from a session of a tenant.
        """
        engine = self.shared_engine
        is_new = engine is not None and engine.dialect.default_schema_name is None
        return engine if is_new else None

    def check_new(self, name: str) -> None:
        """Check that a tenant can be created.

        :raises TargetError: If its URL is not known.
        """
        if self._find_engine is None:
            self.names([name])
        elif not name:
            raise TargetError("A tenant's name must not be empty.")

    def names(self, only: c.Iterable[str] | None = None) -> list[str]:
        """Return the names of the tenants.

        :param only: The names of some of them, instead of all.
        :raises TargetError: If there is no such tenant.
        """
        if only is None:
            return [*self._given]

        names = [only] if isinstance(only, str) else [*dict.fromkeys(only)]

        for name in names:
            if name not in self._given:
                raise TargetError(
                    f"There is no tenant '{name}'. The 'tenants' of the extension give"
                    f" {len(self._given)} names; correct this one, or add it there."
                )

        return names

    def find(self, name: str) -> Tenant:
        """Return a tenant with its engine.

        :param name: One of :meth:`names`. A new schema need not be among them.
        """
        if (engine := self.shared_engine) is not None:
            return _schema_tenant(name, engine)

        [name] = self.names([name])
        return Tenant(name, _engine(name, self._given[name]))

    def maintenance(self, name: str) -> Tenant | None:
        """Return a tenant with another database of its server, to create its own from;
        ``None`` if there is none, or its server is only known by an engine.
        """
        from sqlalchemy import make_url

        from ..dialects import dialect_named

        value: t.Any = self._given.get(name)

        if _is_engine(value):
            return None

        url = make_url(value)
        other = dialect_named(url.get_backend_name()).maintenance_database

        if other is None:
            return None

        return Tenant(name, _engine(name, url.set(database=other)))


def _schema_tenant(name: str, engine: AnyEngine) -> Tenant:
    from ..dialects import dialect_named
    from .engines import copied_by
    from .engines import with_other_database
    from .engines import with_schema

    dialect = dialect_named(engine.dialect.name)

    if name == engine.dialect.default_schema_name:
        raise TargetError(
            f"'{name}' is the app's own schema, which has another history. Leave it out"
            " of 'tenants'; 'upgrade()' migrates it."
        )

    # A database of SQLite is a file, whose path a name does not tell.
    if dialect.schemas_are_databases and dialect.maintenance_database:
        return Tenant(name, copied_by(with_other_database, engine, name))

    if not dialect.has_search_path:
        raise ConfigurationError(
            f"A database of '{engine.dialect.name}' has no schemas for tenants. Pass a"
            " dict as 'tenants' that has the URL of each one's database, by its name."
        )

    return Tenant(name, copied_by(with_schema, engine, name), name)


def _engine(name: str, value: t.Any) -> AnyEngine:
    import sqlalchemy as sa

    from .created_engines import created_engine

    if _is_engine(value):
        return value

    if not isinstance(value, (str, sa.URL)):
        raise TargetError(
            f"The database of tenant '{name}' must be a URL or an engine, not"
            f" {type(value).__name__}."
        )

    return created_engine(value, f"The URL of tenant '{name}'")


def _is_engine(value: object) -> t.TypeGuard[AnyEngine]:
    import sqlalchemy as sa

    from .engines import is_async

    return isinstance(value, sa.Engine) or is_async(value)


def tenant_databases(
    app: App, metadatas: Metadatas | None, names: DatabaseNames, tenant: Tenant
) -> Databases:
    """Return the database of a tenant that is looked up, under the tenant's name.

    :param app: The app.
    :param metadatas: The metadata of the tenants' models.
    :param names: What the revisions call the databases.
    """
    from .databases import Databases
    from .databases import find_metadatas
    from .names import default_name

    found = find_metadatas(app, metadatas, names)
    metadata = found[default_name(found)] if found else []
    engines: t.Any = {tenant.name: tenant.engine}
    return Databases({tenant.name: metadata}, engines)


def tenant_config(
    app_config: c.Mapping[str, t.Any], tenant: Tenant
) -> c.Mapping[str, t.Any]:
    """Return an app's config as it is for a tenant.

    :param app_config: ``app.config``, which is not changed.
    """
    own = _own_settings(app_config)
    context = {**app_config["ALEMBIC_CONTEXT"]}
    context.pop("version_table_schema", None)
    # The other schemas are those of other tenants.
    context.pop("include_schemas", None)
    session = _shared_session(app_config)

    if tenant.schema is not None:
        schemas = [tenant.schema, *own["search_path"]]
        session["search_path"] = ", ".join(map(_quote, schemas))

    alembic = {
        **app_config["ALEMBIC"],
        "script_location": _certain(own["script_location"]),
        "version_locations": own["version_locations"],
    }
    return {
        **app_config,
        "ALEMBIC": alembic,
        "ALEMBIC_CONTEXT": context,
        "ALEMBIC_SESSION": session,
    }


def _own_settings(app_config: c.Mapping[str, t.Any]) -> c.Mapping[str, t.Any]:
    settings = app_config.get("ALEMBIC_TENANTS", {})

    if not isinstance(settings, c.Mapping):
        raise ConfigurationError(
            f"{_KEY} must be a dict of settings, not {settings!r}."
        )

    if unknown := settings.keys() - _DEFAULTS.keys():
        raise ConfigurationError(
            f"{_KEY} has no setting '{min(unknown)}'. There are"
            f" {', '.join(map(repr, _DEFAULTS))}."
        )

    found = {**_DEFAULTS, **settings}
    path = found["search_path"]

    if isinstance(path, str) or not all(isinstance(name, str) for name in path):
        raise ConfigurationError(
            f"{_KEY}['search_path'] must be a list of schemas, not {path!r}."
        )

    if not isinstance(found["script_location"], (str, os.PathLike)):
        raise ConfigurationError(
            f"{_KEY}['script_location'] must be a path, not"
            f" {found['script_location']!r}."
        )

    return found


def _certain(location: str | os.PathLike[str]) -> str:
    """Return a script location beside which no other one is looked for."""
    path = os.fspath(location)
    is_certain = os.path.isabs(path) or ":" in path or "%(here)s" in path
    return path if is_certain else f"%(here)s/{path}"


def _shared_session(app_config: c.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the session settings that are for no particular database."""
    session = app_config.get("ALEMBIC_SESSION") or {}

    if not isinstance(session, c.Mapping):
        # Whoever reads it says what is wrong.
        return {}

    return {k: v for k, v in session.items() if not isinstance(v, c.Mapping)}


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
