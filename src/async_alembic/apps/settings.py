"""The app's ``ALEMBIC`` and ``ALEMBIC_CONTEXT`` settings, and Alembic's ``Config``
made of them. Knows no engine and no framework; Alembic and SQLAlchemy are imported when
a ``Config`` is built.
"""

from __future__ import annotations

import collections.abc as c
import os
import typing as t

from ..errors import ConfigurationError

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config

_LOCATIONS = "a list of folders and of (branch, folder) pairs"
#: The names of what can stand between paths in one text, as Alembic has them.
SEPARATORS = {
    "os": os.pathsep,
    "space": " ",
    "newline": "\n",
    ":": ":",
    ";": ";",
}
#: What the extension itself passes to EnvironmentContext.configure().
RESERVED_CONTEXT_KEYS = ("connection", "url", "dialect_name", "target_metadata", "fn")


def set_defaults(app_config: c.MutableMapping[str, t.Any]) -> None:
    """Complete the app's config with Flask-Alembic's defaults.

    :param app_config: ``app.config``.
    :raises ConfigurationError: If a key holds anything but a mapping.
    """
    for key in "ALEMBIC", "ALEMBIC_CONTEXT":
        if not isinstance(app_config.setdefault(key, {}), c.MutableMapping):
            raise ConfigurationError(
                f"app.config['{key}'] must be a dict of settings, not"
                f" {type(app_config[key]).__name__}."
            )

    # Alembic warns where no separator is set.
    app_config["ALEMBIC"].setdefault("path_separator", "os")
    app_config["ALEMBIC"].setdefault("script_location", "migrations")
    app_config["ALEMBIC"].setdefault("version_locations", [])
    app_config["ALEMBIC_CONTEXT"].setdefault("compare_server_default", True)


class Settings:
    """What one app says about its migrations.

    :param root_path: The folder that relative paths start at, ``app.root_path``.
    :param app_config: ``app.config``.
    """

    def __init__(self, root_path: str, app_config: c.Mapping[str, t.Any]) -> None:
        self.root_path = root_path
        self.app_config = app_config

    @property
    def options(self) -> c.Mapping[str, t.Any]:
        options: c.Mapping[str, t.Any] = self.app_config["ALEMBIC"]
        return options

    @property
    def lock(self) -> bool:
        """Whether other migrators are kept out of the databases."""
        return bool(self.app_config.get("ALEMBIC_LOCK", True))

    @property
    def lock_timeout(self) -> float:
        """How long another migrator is waited for, in seconds."""
        return self._number("ALEMBIC_LOCK_TIMEOUT", 300, (int, float), "seconds")

    @property
    def retries(self) -> int:
        """How often a migration that could not get a lock of a table is tried again."""
        return int(self._number("ALEMBIC_RETRIES", 0, int, "attempts"))

    def session(self, name: str) -> dict[str, str | int | float]:
        """The settings for the connection that migrates a database.

        :param name: The name of the database.
        :raises ConfigurationError: If they are no plain values by their names.
        """
        key = "app.config['ALEMBIC_SESSION']"
        session = self.app_config.get("ALEMBIC_SESSION", {})

        if isinstance(session, c.Mapping) and isinstance(session.get(name), c.Mapping):
            key, session = f"{key}['{name}']", session[name]

        if not isinstance(session, c.Mapping):
            raise ConfigurationError(
                f"{key} must be a dict of settings, not {session!r}."
            )

        # Those of other databases are by their names.
        settings = {k: v for k, v in session.items() if not isinstance(v, c.Mapping)}

        for setting, value in settings.items():
            if not isinstance(value, (str, int, float)):
                raise ConfigurationError(
                    f"{key}['{setting}'] must be a text or a number, not {value!r}."
                )

        return settings

    @property
    def script_location(self) -> str:
        location = self.options["script_location"]

        if not isinstance(location, (str, os.PathLike)):
            raise _wrong("script_location", location, "a folder")

        return self.absolute(location)

    @property
    def version_locations(self) -> list[str]:
        """The folders of ``version_locations``, without their branches."""
        return [path for _, path in self._locations()]

    @property
    def branch_directories(self) -> dict[str, str]:
        """The folder of each named branch."""
        return {branch: path for branch, path in self._locations() if branch}

    @property
    def separator(self) -> str:
        """What stands between paths in one text."""
        name = self.options["path_separator"]

        if name not in SEPARATORS:
            raise _wrong("path_separator", name, f"one of {', '.join(SEPARATORS)}")

        return SEPARATORS[name]

    def absolute(self, path: str | os.PathLike[str]) -> str:
        """A path from the config: absolute, ``package:folder``, or from the app's root,
        which is also what ``%(here)s`` means.

        :raises ConfigurationError: If there is no such package.
        """
        import importlib.resources

        path = os.fspath(path).replace("%(here)s", self.root_path)
        package, colon, folder = path.partition(":")

        if os.path.isabs(path) or not colon:
            return os.path.join(self.root_path, path)

        try:
            return str(importlib.resources.files(package).joinpath(folder))
        except (ImportError, ValueError) as e:
            raise ConfigurationError(
                f"The folder '{path}' in app.config['ALEMBIC'] is in the package"
                f" '{package}', which cannot be imported: {e}. Correct the name, or"
                " install the package."
            ) from e

    def context_options(self) -> dict[str, t.Any]:
        """The arguments for ``EnvironmentContext.configure()``.

        :raises ConfigurationError: If one of them is the extension's own to set.
        """
        context: c.Mapping[str, t.Any] = self.app_config["ALEMBIC_CONTEXT"]

        for key in RESERVED_CONTEXT_KEYS:
            if key in context:
                raise ConfigurationError(
                    f"Remove '{key}' from app.config['ALEMBIC_CONTEXT']: the extension"
                    " sets it, from 'engines' and 'metadatas'."
                )

        return dict(context)

    def _number(self, key: str, default: float, kind: t.Any, unit: str) -> float:
        value = self.app_config.get(key, default)

        if isinstance(value, bool) or not isinstance(value, kind) or value < 0:
            raise ConfigurationError(
                f"app.config['{key}'] must be a number of {unit}, not {value!r}."
            )

        return t.cast("float", value)

    def _locations(self) -> c.Iterator[tuple[str | None, str]]:
        locations = self.options["version_locations"]

        if isinstance(locations, str):
            locations = filter(None, locations.split(self.separator))

        if not isinstance(locations, c.Iterable):
            raise _wrong("version_locations", locations, _LOCATIONS)

        for item in locations:
            match item:
                case str() | os.PathLike():
                    yield None, self.absolute(item)
                case [str(branch), str() | os.PathLike() as path]:
                    yield branch, self.absolute(path)
                case _:
                    raise _wrong("version_locations", item, _LOCATIONS)


def default_name(names: c.Iterable[str]) -> str:
    """The name of the database that is meant where none is named.

    :param names: The names of all databases; at least one.
    """
    names = list(names)
    return "default" if "default" in names else names[0]


def build_config(settings: Settings, names: c.Sequence[str]) -> Config:
    """Make Alembic's ``Config`` as an ``alembic.ini`` with the same content would.

    :param settings: The app's settings.
    :param names: The names of the databases; several make the ``databases`` option of
        Alembic's multidb template.
    """
    import configparser
    from argparse import Namespace

    from alembic.config import Config

    # Alembic prints what it does unless a command line told it to be quiet.
    config = Config(cmd_opts=Namespace(x=None, quiet=True))
    config.file_config["DEFAULT"]["here"] = _escape(settings.root_path)
    options = dict(settings.options)
    options["script_location"] = settings.script_location
    options["version_locations"] = [
        settings.script_location,
        *settings.version_locations,
    ]
    texts = dict(_texts(config.config_ini_section, options, settings.separator))

    for (section, key), text in texts.items():
        _set(config, section, key, text)

    # Only now, as a value may refer to one that follows.
    for (section, key), text in texts.items():
        try:
            config.get_section_option(section, key)
        except configparser.InterpolationError:
            config.set_section_option(section, key, _escape(text))

    if len(names) > 1:
        config.set_main_option("databases", ", ".join(names))

    return config


def add_urls(config: Config, urls: c.Mapping[str, sa.URL]) -> None:
    """Add ``sqlalchemy.url``, which revisions read, where the app did not set it.

    :param config: Changed in place.
    :param urls: The URL of each database by its name; several get a section each.
    """
    main = config.config_ini_section
    sections = [(name, url) for name, url in urls.items() if len(urls) > 1]

    for section, url in [(main, urls[default_name(urls)]), *sections]:
        if not config.file_config.has_option(section, "sqlalchemy.url"):
            text = url.render_as_string(hide_password=False)
            config.set_section_option(section, "sqlalchemy.url", _escape(text))


def _texts(
    main: str, options: c.Mapping[str, t.Any], separator: str
) -> c.Iterator[tuple[tuple[str, str], str]]:
    """The section, the key and the text of each option."""
    import sqlalchemy as sa

    for key, value in options.items():
        if key.startswith("sqlalchemy.") and not isinstance(value, (str, sa.URL)):
            # An argument for the engine, such as 'connect_args', which is no text.
            continue

        if key == "post_write_hooks" and not isinstance(value, c.Mapping):
            raise _wrong(key, value, "a dict, as the section of that name")

        section, values = main, {key: value}

        if isinstance(value, c.Mapping):
            section, values = key, dict(value)

        for inner_key, inner_value in values.items():
            if inner_value is not None:
                between = ", " if inner_key == "hooks" else separator
                yield (section, inner_key), _as_text(inner_value, between)


def _set(config: Config, section: str, key: str, text: str) -> None:
    """Set an option. A percent sign may be doubled, as in an ini file, or not."""
    try:
        config.set_section_option(section, key, text)
    except ValueError:
        config.set_section_option(section, key, _escape(text))


def _as_text(value: object, between: str) -> str:
    import sqlalchemy as sa

    if isinstance(value, sa.URL):
        return value.render_as_string(hide_password=False)

    if isinstance(value, bool):
        return str(value).lower()

    if isinstance(value, (list, tuple)):
        return between.join(map(os.fspath, value))

    return str(value)


def _wrong(key: str, value: object, wanted: str) -> ConfigurationError:
    return ConfigurationError(
        f"app.config['ALEMBIC']['{key}'] must be {wanted}, not {value!r}."
    )


def _escape(text: str) -> str:
    return text.replace("%", "%%")
