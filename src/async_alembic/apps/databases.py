"""Find an app's engines and metadata: in the constructor's arguments, the app's
SQLAlchemy extension, or the config. Nothing connects here.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import logging
import typing as t

import sqlalchemy as sa

from ..errors import TargetError
from .engines import copied_by
from .engines import is_async
from .engines import with_other_database

if t.TYPE_CHECKING:
    from flask.sansio.app import App
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ..history.database_names import DatabaseNames
    from .engines import Engines

T = t.TypeVar("T")
log: logging.Logger = logging.getLogger("async_alembic")

Metadata: t.TypeAlias = "sa.MetaData | list[sa.MetaData]"
#: Flask-SQLAlchemy's own dict has ``None`` for the default database.
Metadatas: t.TypeAlias = (
    "Metadata | c.Mapping[str, Metadata] | c.Mapping[str | None, Metadata]"
)
AnyEngine: t.TypeAlias = "sa.Engine | AsyncEngine"
EngineMap: t.TypeAlias = (
    "dict[str, sa.Engine] | dict[str, AsyncEngine] | dict[str, AnyEngine]"
)
EngineSource: t.TypeAlias = (
    "AnyEngine | EngineMap | c.Callable[[], AnyEngine | EngineMap]"
)


class Databases(t.NamedTuple):
    """The databases to migrate.

    :param metadatas: The metadata of each of the app's databases, by its name.
    :param engines: The engine of each database to migrate, by its name; all of one
        kind.
    """

    metadatas: dict[str, Metadata]
    engines: Engines

    @property
    def urls(self) -> dict[str, sa.URL]:
        """The URL of each database, by its name."""
        return {name: engine.url for name, engine in self.engines.items()}

    def only(self, names: c.Collection[str]) -> Databases:
        """Return only some of the databases; see :func:`only`."""
        engines = only(t.cast("dict[str, t.Any]", self.engines), names)
        return Databases(self.metadatas, t.cast("Engines", engines))

    def with_others(self, others: c.Mapping[str, str]) -> Databases:
        """Return the same, but on other databases of their servers.

        :param others: What stands for each in a URL, by its name.
        """
        engines: t.Any = {
            name: copied_by(with_other_database, engine, others[name])
            for name, engine in t.cast("dict[str, t.Any]", self.engines).items()
        }
        return Databases(self.metadatas, engines)


def only(databases: c.Mapping[str, T], names: c.Collection[str]) -> dict[str, T]:
    """Return only some of the databases.

    :param databases: What there is of each, by its name.
    :param names: Their names; all databases if there are none.
    :raises TargetError: If there is no database of a name.
    """
    for name in names:
        if name not in databases:
            known = ", ".join(f"'{known}'" for known in databases)
            raise TargetError(
                f"There is no database '{name}'. The databases are {known}."
            )

    return {k: v for k, v in databases.items() if not names or k in names}


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where the databases of an app may be found.

    :param metadatas: The constructor's ``metadatas``, if any: one metadata, a list, or
        a dict of either.
    :param engines: The constructor's ``engines``, if any: one engine, a dict of
        engines, or a callable that returns either.
    :param get_url: Returns the URL from the config, if any.
    :param prefer_async: Whether to use the async engines of an extension that has both
        kinds.
    :param names: What the revisions call the databases.
    """

    metadatas: Metadatas | None
    engines: EngineSource | None
    get_url: c.Callable[[], str | None]
    prefer_async: bool
    names: DatabaseNames


def find_databases(app: App, sources: Sources) -> Databases:
    """Find the databases of an app.

    :param app: The app.
    :param sources: Where they may be found.
    :raises TargetError: If engines or metadata are missing, or do not match.
    """
    metadatas, engines = sources.metadatas, sources.engines
    named_metadatas = find_metadatas(app, metadatas, sources.names)

    if not named_metadatas:
        raise TargetError(
            "When not using Flask-SQLAlchemy or Advanced Alchemy, pass 'metadatas' when"
            " creating the Alembic extension."
        )

    for name, metadata in named_metadatas.items():
        several = metadata if isinstance(metadata, (list, tuple)) else [metadata]

        if not all(isinstance(one, sa.MetaData) for one in several):
            raise TargetError(
                f"The metadata '{name}' must be a MetaData or a list of them, not"
                f" {metadata!r}. Pass 'Model.metadata' of your models' base class."
            )

    if callable(engines):
        named_engines = _keyed_by_name(engines() or {})

        if not named_engines:
            raise TargetError(
                "The callable passed as 'engines' returned no engines. Call the method"
                " after the engines are created, for example later in the startup hook."
            )
    else:
        named_engines = _keyed_by_name(
            engines
            or _extension_engines(app, sources.prefer_async)
            or _config_engine(app, sources.get_url())
        )

    if not named_engines:
        raise TargetError(
            "Either use Flask-SQLAlchemy(-Lite) or Advanced Alchemy with engines"
            " configured, or pass 'engines' when creating the Alembic extension, or set"
            " app.config['ALEMBIC']['sqlalchemy.url']."
        )

    if engines is not None:
        _check_metadatas(named_metadatas, named_engines)

    return _match_engines(named_metadatas, named_engines)


def find_urls(app: App, sources: Sources) -> dict[str, sa.URL]:
    """Find the URLs of an app's databases. With a URL in the config, no engine is
    created, so that no driver is needed.

    :param app: The app.
    :param sources: Where the databases may be found.
    """
    metadatas, engines = sources.metadatas, sources.engines
    has_engines = engines is not None or _extension_engines(app, sources.prefer_async)

    if not has_engines and (url := sources.get_url()):
        return dict.fromkeys(
            find_metadatas(app, metadatas, sources.names), sa.make_url(url)
        )

    return find_databases(app, sources).urls


def find_metadatas(
    app: App, metadatas: Metadatas | None, names: DatabaseNames
) -> dict[str, Metadata]:
    """Return the metadata of each of an app's databases; empty if there is none yet.

    :param app: The app.
    :param metadatas: The constructor's ``metadatas``, if any.
    :param names: What the revisions call the databases.
    """
    return _keyed_by_name(metadatas or _extension_metadata(app, names))


def _keyed_by_name(value: t.Any) -> dict[str, t.Any]:
    if not isinstance(value, c.Mapping):
        return {"default": value}

    # Flask-SQLAlchemy names its default database None.
    return {"default" if name is None else name: v for name, v in value.items()}


def _check_metadatas(
    metadatas: dict[str, Metadata], engines: dict[str, AnyEngine]
) -> None:
    # An extension can have engines that are not migrated.
    if len(engines) > 1 and (unused := engines.keys() - metadatas.keys()):
        names = ", ".join(f"'{name}'" for name in sorted(unused))
        raise TargetError(
            f"Missing metadata for the engines {names}. Every key of 'engines' needs"
            " metadata in 'metadatas'; the metadata may be empty."
        )


def _match_engines(
    metadatas: dict[str, Metadata], engines: dict[str, AnyEngine]
) -> Databases:
    if "default" not in metadatas and len(metadatas) == len(engines) == 1:
        # A single database matches whatever its name is.
        engines = dict(zip(metadatas, engines.values(), strict=True))

    if "" in metadatas and "" not in engines and "default" in engines:
        # Flask-Migrate's revisions of several databases name the default one "".
        engines = {**engines, "": engines["default"]}

    if missing := metadatas.keys() - engines.keys():
        plural = "config" if len(missing) == 1 else "configs"
        names = ", ".join(f"'{name}'" for name in sorted(missing))
        raise TargetError(
            f"Missing engine {plural} for {names}. Every key of 'metadatas' needs an"
            f" engine; the configured engines are"
            f" {', '.join(repr(name) for name in engines)}."
        )

    used = {name: engines[name] for name in metadatas}

    for name, engine in used.items():
        if not isinstance(engine, sa.Engine) and not is_async(engine):
            raise TargetError(
                f"The engine '{name}' must be an Engine or an AsyncEngine, not"
                f" {type(engine).__name__}."
            )

        if isinstance(engine, sa.Engine) and engine.dialect.is_async:
            raise TargetError(
                f"The engine '{name}' has an async driver but is not an AsyncEngine."
                " Create it with 'create_async_engine'."
            )

    if len({*map(is_async, used.values())}) > 1:
        raise TargetError(
            "The engines must be of one kind. Create all of them with 'create_engine',"
            " or all with 'create_async_engine'."
        )

    if len({id(engine) for engine in used.values()}) < len(used):
        raise TargetError(
            "Two names share one engine, and therefore one version table. Use one name,"
            " with both metadata in a list."
        )

    _name_unused(engines, used)
    return Databases(metadatas, t.cast("Engines", used))


def _name_unused(engines: dict[str, AnyEngine], used: dict[str, AnyEngine]) -> None:
    migrated = {id(engine) for engine in used.values()}

    if unused := [name for name, e in engines.items() if id(e) not in migrated]:
        log.warning(
            "The engines %s are not migrated. To migrate one, pass a dict as"
            " 'metadatas' that has its name.",
            ", ".join(f"'{name}'" for name in sorted(unused)),
        )


def _extension_metadata(app: App, names: DatabaseNames) -> t.Any:
    extension: t.Any = app.extensions.get("sqlalchemy")

    # Flask-SQLAlchemy; Flask-SQLAlchemy-Lite has none.
    if hasattr(extension, "metadata"):
        return _migrated_binds(extension, names) or extension.metadata

    return {
        config.bind_key or "default": config.metadata
        for config in _advanced_alchemy_configs(app)
    }


def _migrated_binds(
    extension: t.Any, names: DatabaseNames
) -> dict[str | None, sa.MetaData]:
    """Return the metadata of the binds of Flask-SQLAlchemy that are migrated, besides
    the default one, with it. Empty if there are none.
    """
    metadatas: dict[str | None, sa.MetaData] = getattr(extension, "metadatas", {})

    if len(metadatas) < 2 or names.are_taken() is False:
        return {}

    # A bind without models may belong to others.
    return {
        key: metadata
        for key, metadata in metadatas.items()
        if key is None or metadata.tables or names.have(key)
    }


def _extension_engines(app: App, prefer_async: bool) -> dict[str, AnyEngine]:
    extension: t.Any = app.extensions.get("sqlalchemy")

    # The public properties of both extensions need a Flask app context. Quart has none,
    # and it cannot be entered everywhere.
    if hasattr(extension, "_app_state"):
        # Flask-SQLAlchemy-Lite.
        state = extension._app_state[app]
        kinds = [state.engines, state.async_engines]
        return next(filter(None, reversed(kinds) if prefer_async else kinds), {})

    if hasattr(extension, "_app_engines"):
        # Flask-SQLAlchemy.
        return _keyed_by_name(extension._app_engines[app])

    return {
        config.bind_key or "default": config.get_engine()
        for config in _advanced_alchemy_configs(app)
    }


def _advanced_alchemy_configs(app: App) -> c.Sequence[t.Any]:
    extension = app.extensions.get("advanced_alchemy")
    return extension.config if extension is not None else ()


def _config_engine(app: App, url: str | None) -> dict[str, AnyEngine]:
    """Create the engine that the ``sqlalchemy.*`` keys in ``ALEMBIC`` describe."""
    if url is None:
        return {}

    from .created_engines import created_engine

    options = {
        key: value
        for key, value in app.config["ALEMBIC"].items()
        if key.startswith("sqlalchemy.")
    }
    setting = "app.config['ALEMBIC']['sqlalchemy.url']"
    return {"default": created_engine(url, setting, options)}
