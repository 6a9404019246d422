"""The app's settings: ``ALEMBIC`` and the other ``ALEMBIC_*`` keys."""

from __future__ import annotations

import collections.abc as c
import functools
import os
import typing as t

from ..errors import ConfigurationError
from .flask_migrate import MigrateArguments
from .hooks import Hooks
from .option_files import LISTING_OPTIONS
from .option_files import options_around
from .paths import absolute_path

if t.TYPE_CHECKING:
    from ..history.database_names import DatabaseNames

_LOCATIONS_FORMAT = "a list of folders and of (branch, folder) pairs"
#: Alembic's names for the separators of paths in one string.
SEPARATORS = {
    "os": os.pathsep,
    "space": " ",
    "newline": "\n",
    ":": ":",
    ";": ";",
}
#: Arguments that the extension itself passes to EnvironmentContext.configure(), and
#: what sets them.
RESERVED_CONTEXT_KEYS: c.Mapping[str, str] = {
    **dict.fromkeys(
        ("connection", "url", "dialect_name", "target_metadata", "fn"),
        "the extension sets it from 'engines' and 'metadatas'",
    ),
    **dict.fromkeys(
        ("dialect_opts", "literal_binds", "output_buffer"),
        "'--sql' sets it",
    ),
}


def set_defaults(app_config: c.MutableMapping[str, t.Any]) -> None:
    """Add Flask-Alembic's defaults to the app's config.

    :param app_config: ``app.config``.
    :raises ConfigurationError: If the value of a key is not a mapping.
    """
    for key in "ALEMBIC", "ALEMBIC_CONTEXT":
        if not isinstance(app_config.setdefault(key, {}), c.MutableMapping):
            raise ConfigurationError(
                f"app.config['{key}'] must be a dict of settings, not"
                f" {type(app_config[key]).__name__}."
            )

    # Alembic warns if no separator is set.
    app_config["ALEMBIC"].setdefault("path_separator", "os")
    app_config["ALEMBIC"].setdefault("script_location", "migrations")
    app_config["ALEMBIC"].setdefault("version_locations", [])
    app_config["ALEMBIC_CONTEXT"].setdefault("compare_server_default", True)


class Settings:
    """The migration settings of one app.

    :param root_path: The base folder of relative paths, ``app.root_path``.
    :param app_config: ``app.config``.
    :param migrate: What the app has said to Flask-Migrate.
    :param hooks: The functions that the app has registered.
    :param tenant_schema: The schema of the tenant that the settings are for, if any.
    """

    def __init__(
        self,
        root_path: str,
        app_config: c.Mapping[str, t.Any],
        migrate: MigrateArguments = MigrateArguments(),  # noqa: B008
        hooks: Hooks = Hooks(),  # noqa: B008
        tenant_schema: str | None = None,
    ) -> None:
        self.root_path = root_path
        self.app_config = app_config
        self.migrate = migrate
        self.hooks = hooks
        self.tenant_schema = tenant_schema

    def with_config(self, app_config: c.Mapping[str, t.Any]) -> Settings:
        """Return the settings of the same app with another config."""
        return Settings(
            self.root_path, app_config, self.migrate, self.hooks, self.tenant_schema
        )

    @property
    def options(self) -> c.Mapping[str, t.Any]:
        """All options: those of ``ALEMBIC``, then those of Alembic's own files."""
        options, _ = options_around(self.script_location)
        return {**options, **self._own_options}

    @property
    def _own_options(self) -> c.Mapping[str, t.Any]:
        """The options that the app's config sets."""
        return {
            key: value
            for key, value in self.app_config["ALEMBIC"].items()
            if key != "version_locations" or value != []
        }

    def option(self, key: str) -> t.Any:
        """Return an option, or ``None``. A file that does not mention it is not parsed.

        :param key: An option that decides which revisions there are, or one that the
            app's config only can set.
        """
        own = self._own_options.get(key)
        is_missing = own is None and key in LISTING_OPTIONS
        return self._listing_options.get(key) if is_missing else own

    @functools.cached_property
    def _listing_options(self) -> c.Mapping[str, t.Any]:
        options, _ = options_around(self.script_location, LISTING_OPTIONS)
        return options

    @property
    def ignores_env_py(self) -> bool:
        """Whether the app's config has all that an ``env.py`` sets, and all that is
        done by functions for Flask-Migrate.
        """
        return bool(self.app_config.get("ALEMBIC_IGNORE_ENV_PY", False))

    @property
    def drops_unknown_tables(self) -> bool:
        """Whether revisions drop all tables that are in no model, as Alembic does."""
        return bool(self.app_config.get("ALEMBIC_DROP_UNKNOWN_TABLES", False))

    @property
    def lock(self) -> bool | t.Literal["lease"]:
        """Whether to lock the databases against other migrations, or ``"lease"`` to use
        a lease even where a database has a lock.

        :raises ConfigurationError: If the setting is something else.
        """
        value = self.app_config.get("ALEMBIC_LOCK", True)

        if value != "lease" and not isinstance(value, bool):
            raise ConfigurationError(
                "app.config['ALEMBIC_LOCK'] must be True, False or 'lease', not"
                f" {value!r}."
            )

        return t.cast("bool | t.Literal['lease']", value)

    @property
    def lock_timeout(self) -> float:
        """How long to wait for another migration, in seconds."""
        return self._number(
            "ALEMBIC_LOCK_TIMEOUT", 300, (int, float), "a number of seconds"
        )

    @property
    def retries(self) -> int:
        """How often to retry a migration that could not lock a table."""
        return int(self._number("ALEMBIC_RETRIES", 0, int, "a whole number"))

    @property
    def audit(self) -> bool:
        """Whether to record who has run which revision."""
        return bool(self.app_config.get("ALEMBIC_AUDIT", False))

    @property
    def code_version(self) -> str | None:
        """The version of the app's code, which the audit records."""
        version = self.app_config.get("ALEMBIC_CODE_VERSION")
        return None if version is None else str(version)

    def has_session(self, names: c.Collection[str]) -> bool:
        """Return whether there are session settings for any of the databases.

        :param names: The names of all databases.
        :raises ConfigurationError: If there are settings for another database.
        """
        session = self.app_config.get("ALEMBIC_SESSION") or {}
        others = session.keys() - names if isinstance(session, c.Mapping) else ()

        for name in sorted(others):
            if isinstance(session[name], c.Mapping):
                raise ConfigurationError(
                    f"app.config['ALEMBIC_SESSION']['{name}'] has the settings of a"
                    f" database, but the databases are {', '.join(names)}."
                )

        return any(map(self.session, names))

    def session(self, name: str) -> dict[str, str | int | float]:
        """Return the session settings for the connection that migrates a database.

        :param name: The name of the database.
        :raises ConfigurationError: If they are not a mapping of names to plain values.
        """
        key = "app.config['ALEMBIC_SESSION']"
        session = self.app_config.get("ALEMBIC_SESSION", {})

        if isinstance(session, c.Mapping) and isinstance(session.get(name), c.Mapping):
            key, session = f"{key}['{name}']", session[name]

        if not isinstance(session, c.Mapping):
            raise ConfigurationError(
                f"{key} must be a dict of settings, not {session!r}."
            )

        # The mappings are the settings of other databases, by their names.
        settings = {k: v for k, v in session.items() if not isinstance(v, c.Mapping)}

        for setting, value in settings.items():
            if not isinstance(value, (str, int, float)):
                raise ConfigurationError(
                    f"{key}['{setting}'] must be a string or a number, not {value!r}."
                )

        return settings

    @property
    def script_location(self) -> str:
        location = self.app_config["ALEMBIC"]["script_location"]

        if not isinstance(location, (str, os.PathLike)):
            raise invalid_setting("script_location", location, "a path")

        return self.absolute(location)

    @property
    def has_absolute_location(self) -> bool:
        """Whether the script location does not depend on where relative paths start."""
        location = os.fspath(self.app_config["ALEMBIC"]["script_location"])
        return os.path.isabs(location) or ":" in location or "%(here)s" in location

    @property
    def version_locations(self) -> list[str]:
        """The folders of ``version_locations``, without their branches."""
        return [path for _, path in self._locations()]

    @property
    def branch_directories(self) -> dict[str, str]:
        """The folder of each named branch, by its label."""
        return {branch: path for branch, path in self._locations() if branch}

    @property
    def database_names(self) -> DatabaseNames:
        """What the revisions call the databases."""
        from ..history.database_names import DatabaseNames

        return DatabaseNames(self.script_location, self.version_locations)

    @property
    def separator(self) -> str:
        """The separator of paths in one string."""
        name = self.app_config["ALEMBIC"]["path_separator"]

        if not isinstance(name, str) or name not in SEPARATORS:
            raise invalid_setting(
                "path_separator", name, f"one of {', '.join(SEPARATORS)}"
            )

        return SEPARATORS[name]

    def absolute(self, path: str | os.PathLike[str]) -> str:
        """Return a path from the config, where relative ones start at the app's root,
        as an absolute path.

        :raises ConfigurationError: If it is in a package that cannot be imported.
        """
        return absolute_path(path, self.root_path)

    def context_options(self) -> dict[str, t.Any]:
        """Return the app's arguments for ``EnvironmentContext.configure()``: those of
        ``ALEMBIC_CONTEXT``, then those that Flask-Migrate has been given, with the
        functions that the app has registered.

        :raises ConfigurationError: If the extension itself sets one of them.
        """
        context: c.Mapping[str, t.Any] = self.app_config["ALEMBIC_CONTEXT"]

        options = {**self.migrate.context, **context}

        for key, source in RESERVED_CONTEXT_KEYS.items():
            if key in options:
                place = (
                    "app.config['ALEMBIC_CONTEXT']" if key in context else "Migrate()"
                )
                raise ConfigurationError(
                    f"{place} must not have the key '{key}'. Remove it; {source}."
                )

        return self.hooks.added_to(options)

    @property
    def template_args(self) -> c.Mapping[str, t.Any]:
        """The app's values for the template of new revisions.

        :raises ConfigurationError: If they are not a mapping.
        """
        values = self.context_options().get("template_args") or {}

        if not isinstance(values, c.Mapping):
            raise ConfigurationError(
                "app.config['ALEMBIC_CONTEXT']['template_args'] must be a dict of"
                f" values for 'script.py.mako', not {values!r}."
            )

        return values

    def _number(self, key: str, default: float, kind: t.Any, wanted: str) -> float:
        value = self.app_config.get(key, default)

        if isinstance(value, bool) or not isinstance(value, kind) or value < 0:
            raise ConfigurationError(
                f"app.config['{key}'] must be {wanted}, 0 or more, not {value!r}."
            )

        return t.cast("float", value)

    def _locations(self) -> c.Iterator[tuple[str | None, str]]:
        # The default is [].
        own = self.app_config["ALEMBIC"]["version_locations"]
        locations = self.option("version_locations") or [] if own == [] else own

        if isinstance(locations, str):
            locations = filter(None, locations.split(self.separator))

        if not isinstance(locations, c.Iterable):
            raise invalid_setting("version_locations", locations, _LOCATIONS_FORMAT)

        for item in locations:
            match item:
                case str() | os.PathLike():
                    yield None, self.absolute(item)
                case [str(branch), str() | os.PathLike() as path]:
                    yield branch, self.absolute(path)
                case _:
                    raise invalid_setting("version_locations", item, _LOCATIONS_FORMAT)


def invalid_setting(key: str, value: object, wanted: str) -> ConfigurationError:
    """Return the error for a setting in ``ALEMBIC`` whose value has the wrong type."""
    return ConfigurationError(
        f"app.config['ALEMBIC']['{key}'] must be {wanted}, not {value!r}."
    )


def format_value(value: object, separator: str) -> str:
    """Return the text of a value, as it would be in an ini file."""
    import sqlalchemy as sa

    if isinstance(value, sa.URL):
        return value.render_as_string(hide_password=False)

    if isinstance(value, bool):
        return str(value).lower()

    if isinstance(value, (list, tuple)):
        return separator.join(map(os.fspath, value))

    return str(value)
