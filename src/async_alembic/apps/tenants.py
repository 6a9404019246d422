"""The tenants of an app: each has a schema or a database of its own."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t

from ..errors import AsyncAlembicError
from ..errors import ConfigurationError
from ..errors import listed
from ..errors import TargetError
from ..errors import with_class

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


class Tenant(t.NamedTuple):
    """One tenant.

    :param name: The name of the tenant.
    :param engine: Connects to its database; ``None`` if that is not looked up yet.
    :param schema: Its schema, where the search path decides which schema is used.
    """

    name: str
    engine: AnyEngine | None = None
    schema: str | None = None


def named_tenant(name: object) -> Tenant:
    """Return a tenant that is not looked up yet.

    :raises TargetError: If it is no name.
    """
    if not isinstance(name, str) or not name:
        raise TargetError(
            f"A tenant's name must be a text that is not empty, not {name!r}."
        )

    return Tenant(name)


#: A tenant that nobody connects to, for what all of them share.
ANY_TENANT: Tenant = Tenant("")


def read_source(source: TenantSource) -> t.Any:
    """Return what ``tenants`` gives. An async function gives an awaitable."""
    given: t.Any = source() if callable(source) else source
    # A generator reads while it is iterated over.
    return [*given] if isinstance(given, c.Iterator) else given


@contextlib.contextmanager
def source_errors(source: TenantSource) -> c.Iterator[None]:
    """Raise what an app's function raises as :exc:`TargetError`."""
    try:
        yield
    except AsyncAlembicError:
        raise
    except Exception as e:
        function: t.Any = (
            source.func if isinstance(source, functools.partial) else source
        )
        name = getattr(function, "__qualname__", type(function).__qualname__)
        raise TargetError(
            f"The function '{function.__module__}.{name}', which gives the tenants,"
            f" failed: {with_class(e)}. Correct it, or what it reads."
        ) from e


class Tenants:
    """The tenants that an app has said it has.

    :param given: What the app has said.
    :param find_engine: Returns the app's engine, which the schemas belong to.
    """

    def __init__(self, given: Given, find_engine: c.Callable[[], AnyEngine]) -> None:
        if isinstance(given, (str, bytes)) or not isinstance(given, c.Iterable):
            raise TargetError(
                "'tenants' must give the names of schemas, or a dict of URLs or engines"
                f" by name, not {_described(given)}."
            )

        are_databases = isinstance(given, c.Mapping)
        names: list[t.Any] = [*given]

        for name in names:
            named_tenant(name)

        named: t.Any = given if are_databases else dict.fromkeys(names)
        self._given: dict[str, t.Any] = dict(named)
        self._find_engine = None if are_databases else find_engine

    @property
    def shared_engine(self) -> AnyEngine | None:
        """The engine that all tenants share, if they are schemas."""
        return self._find_engine() if self._find_engine is not None else None

    def keeping_connections(
        self, count: int, are_wanted: c.Callable[[], bool]
    ) -> tuple[Tenants, AnyEngine | None]:
        """Return the same tenants with an engine that keeps its connections, and that
        engine, which is to be disposed of. A session of PostgreSQL is slow until it
        has read the catalogs that it needs.

        :param count: How many tenants are worked on at once.
        :param are_wanted: Returns whether there are tenants to begin with.
        """
        from ..dialects import dialect_named
        from .engines import copied_by
        from .engines import with_kept_connections

        engine = self.shared_engine

        if engine is None or not dialect_named(engine.dialect.name).has_search_path:
            return self, None

        kept = copied_by(with_kept_connections, engine, count, are_wanted)
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
        named_tenant(name)

        if self._find_engine is None:
            self.names([name])
        elif (engine := self.shared_engine) is not None:
            _check_name(name, engine)

    def names(self, only: c.Iterable[str] | None = None) -> list[str]:
        """Return the names of the tenants.

        :param only: The names of some of them, instead of all.
        :raises TargetError: If there is no such tenant.
        """
        if only is None:
            return [*self._given]

        names = [*dict.fromkeys(only)]

        if unknown := [name for name in names if name not in self._given]:
            count = len(self._given)
            given = f"{count} name{'' if count == 1 else 's'}"
            raise TargetError(
                f"There is no tenant {listed(unknown)}.{self._advice(unknown[0])} The"
                f" 'tenants' of the extension give {given}: correct this one, or add it"
                " there."
            )

        return names

    def _advice(self, name: str) -> str:
        """Return which names look like one that is unknown."""
        import difflib

        nearest = difflib.get_close_matches(name, self._given)
        return f" Did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""

    def server(self, name: str) -> object:
        """Return what tells the server of a tenant from others; ``None`` if its
        database is a file.
        """
        import sqlalchemy as sa
        from sqlalchemy.exc import ArgumentError

        from ..dialects import dialect_named

        value: t.Any = self.shared_engine or self._given[name]

        try:
            url = value.url if _is_engine(value) else sa.make_url(value)
        except (ArgumentError, ValueError):
            return None

        dialect = dialect_named(url.get_backend_name())
        is_file = dialect.maintenance_database is None and not url.host
        return None if is_file else (url.host, url.port, str(url.query))

    def find(self, name: str) -> Tenant:
        """Return a tenant with its engine.

        :param name: One of :meth:`names`. A new schema need not be among them.
        """
        if (engine := self.shared_engine) is not None:
            return _schema_tenant(name, engine)

        [name] = self.names([name])
        return Tenant(name, _engine(name, self._given[name]))

    def to_copy(self, template: str, name: str) -> tuple[Tenant, str, str]:
        """Return what copying the database of a tenant takes.

        :return: A tenant to connect as, and what stands for the template and for the
            copy in a URL.
        :raises ConfigurationError: If the tenants have no databases.
        :raises TargetError: If there is no such tenant, or none that can be copied.
        """
        from ..dialects import dialect_named

        if self._find_engine is not None:
            raise ConfigurationError(
                "'template' names a tenant whose database is copied, but these tenants"
                " are schemas, which cannot be copied. Leave it out: all revisions are"
                " applied."
            )

        self.names([template, name])
        source, new = self._url(template), self._url(name)
        backend = new.get_backend_name()
        is_elsewhere = self.server(template) != self.server(name)

        if is_elsewhere or source.get_backend_name() != backend:
            raise TargetError(
                f"Tenant '{template}' cannot be copied to '{name}', whose database is"
                " on another server. Use a template that is on the same server."
            )

        if dialect_named(backend).maintenance_database is None:
            connecting: Tenant | None = self.find(template)
        else:
            connecting = self.maintenance(name)

        if connecting is None:
            raise TargetError(
                f"The database of tenant '{name}' is given as an engine, so that no"
                " copy can be made. Give its URL in 'tenants'."
            )

        return connecting, source.database or "", new.database or ""

    def _url(self, name: str) -> sa.URL:
        engine: t.Any = self.find(name).engine
        url: sa.URL = engine.url
        return url

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


def missing_schema(name: str) -> TargetError:
    """Return the error for a tenant whose schema does not exist."""
    return TargetError(
        f"Tenant '{name}' has no schema, or this user may not use it. Create it by"
        f" create_tenant('{name}'), or by 'CREATE SCHEMA'."
    )


def _described(given: object) -> str:
    if isinstance(given, c.AsyncIterable):
        return "an async generator: return a list"

    return repr(given)


def _check_name(name: str, engine: AnyEngine) -> None:
    """Check that a server takes the name of a schema for that schema. If the name is
    cut, it may be that of another tenant.
    """
    from ..dialects import dialect_named

    # https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH
    if name == "$user" and dialect_named(engine.dialect.name).has_search_path:
        raise TargetError(
            "A tenant cannot have the name '$user', which stands for the user's own"
            " schema in a search path. Rename the schema."
        )

    longest = engine.dialect.max_identifier_length

    if len(name.encode()) > longest:
        raise TargetError(
            f"The name of tenant '{name}' is too long: a schema has at most {longest}"
            " bytes. Choose a shorter name for the schema."
        )


def _schema_tenant(name: str, engine: AnyEngine) -> Tenant:
    from ..dialects import dialect_named
    from .engines import copied_by
    from .engines import with_other_database
    from .engines import with_schema

    dialect = dialect_named(engine.dialect.name)
    _check_name(name, engine)

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
