"""Parses the options in an ``alembic.ini``, or in ``[tool.alembic]`` of a
``pyproject.toml``, as Alembic reads them.
"""

from __future__ import annotations

import codecs
import collections.abc as c
import functools
import os
import re
import typing as t

from ..errors import ConfigurationError
from ..errors import first_line
from ..errors.quoting import with_class
from .paths import absolute_path

#: An option that has a text in an ini file, and also a list or a number in a TOML file.
Options: t.TypeAlias = dict[str, t.Any]

_MAIN = "alembic"
_HOOKS = "post_write_hooks"
#: Sections for logging, which the app configures.
_LOGGING = re.compile(r"(loggers|handlers|formatters)$|(logger|handler|formatter)_")
#: What is the app's, or is needed only to read the file.
_NOT_TAKEN = re.compile(r"sqlalchemy\.|databases$|script_location$|.*path_separator$")
_SEPARATORS = {
    "os": os.pathsep,
    "space": r"\s+",
    "newline": r"\n",
    ":": ":",
    ";": ";",
}


class OptionFile:
    """A file with options for Alembic.

    :param path: The absolute path of the file.
    :param text: The content of the file.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.folder: str = os.path.dirname(path)
        self._text = text

    @functools.cached_property
    def sections(self) -> dict[str, Options]:
        """The options in each section, by its name.

        :raises ConfigurationError: If the file is not valid.
        """
        try:
            is_toml = self.path.endswith(".toml")
            return self._parse_toml() if is_toml else self._parse_ini()
        except (ValueError, TypeError, AttributeError, KeyError) as e:
            raise ConfigurationError(
                f"'{self.path}' cannot be read: {with_class(e)}. Correct it, or remove"
                " what is there for Alembic."
            ) from e

    def script_locations(self) -> c.Iterator[tuple[str, str]]:
        """Yield each section that names a script directory, and its absolute path."""
        for section, options in self.sections.items():
            if location := options.get("script_location"):
                if not isinstance(location, str):
                    raise ConfigurationError(
                        f"'{self.path}' has {location!r} as 'script_location'. Give a"
                        " path."
                    )

                try:
                    yield section, absolute_path(location, self.folder)
                except ConfigurationError:
                    # A package that is not installed is not the app's.
                    continue

    def section_for(self, folder: str) -> str | None:
        """Return the main section for a script directory, if the file is about it.

        :param folder: The absolute path of the script directory.
        """
        if os.path.realpath(self.folder) == os.path.realpath(folder):
            # Flask-Migrate's.
            if section := self.section_anywhere():
                return section

        for section, location in self.script_locations():
            options = self.sections[section]
            locations = options.get("version_locations") or []
            paths = self._to_list(options, "version_locations", locations)
            paths += [location, os.path.join(location, "versions")]

            if os.path.realpath(folder) in map(os.path.realpath, paths):
                return section

        return None

    def section_anywhere(self) -> str | None:
        """Return the main section, if it does not name its script directory."""
        is_main = "script_location" not in self.sections.get(_MAIN, {_MAIN: ""})
        return _MAIN if is_main and _MAIN in self.sections else None

    def options(self, main: str) -> Options:
        """Return the options of a main section, and the other sections, as dicts.

        :raises ConfigurationError: If one of them is invalid.
        """
        options = {
            key: self._to_list(self.sections[main], key, value)
            for key, value in self.sections[main].items()
            if not _NOT_TAKEN.match(key)
        }
        others = {
            section: values
            for section, values in self.sections.items()
            if values
            and section not in {main, _MAIN}
            and not _LOGGING.match(section)
            and "script_location" not in values
            and "sqlalchemy.url" not in values
        }

        for key in options.keys() & _CHECKS.keys():
            try:
                _CHECKS[key](options[key])
            except (LookupError, TypeError, ValueError) as e:
                raise ConfigurationError(
                    f"The option '{key}' in '{self.path}' is invalid: {first_line(e)}."
                    " Correct it."
                ) from e

        return {**options, **others}

    def _to_list(self, options: Options, key: str, value: t.Any) -> t.Any:
        """Return the value of an option. Several paths are a list of absolute paths."""
        if key not in {"version_locations", "prepend_sys_path"}:
            return value

        if isinstance(value, str):
            name = options.get("path_separator")

            if key == "version_locations":
                name = name or options.get("version_path_separator")

            # Alembic's older way, which it warns of.
            legacy = r", *| +" if key == "version_locations" else r", *| +|:"
            value = re.split(_SEPARATORS.get(str(name), legacy), value)

        paths = filter(None, map(str.strip, value))
        return [
            os.path.normpath(absolute_path(path, self.folder))
            if key == "version_locations"
            else os.path.normpath(os.path.join(self.folder, path))
            for path in paths
        ]

    def _parse_ini(self) -> dict[str, Options]:
        import configparser

        parser = configparser.ConfigParser({"here": self.folder.replace("%", "%%")})

        try:
            parser.read_string(self._text, os.path.basename(self.path))
            return {
                section: {
                    key: value
                    for key in parser[section]
                    if key != "here" and (value := parser.get(section, key))
                }
                for section in parser.sections()
                if not _LOGGING.match(section)
            }
        except configparser.Error as e:
            raise ValueError(str(e)) from e

    def _parse_toml(self) -> dict[str, Options]:
        import tomllib

        options = tomllib.loads(self._text).get("tool", {}).get("alembic", {})
        options = {key: self._expand(value) for key, value in options.items()}
        hooks = options.pop(_HOOKS, [])
        names = {"hooks": ", ".join(hook["name"] for hook in hooks)}
        texts = {
            f"{hook['name']}.{key}": value
            for hook in hooks
            for key, value in hook.items()
            if key != "name"
        }
        sections = {_MAIN: options}
        return {**sections, _HOOKS: names | texts} if hooks else sections

    def _expand(self, value: t.Any) -> t.Any:
        match value:
            case str():
                return value % {"here": self.folder}
            case list():
                return [self._expand(item) for item in value]
            case dict():
                return {key: self._expand(item) for key, item in value.items()}
            case _:
                return value


def files_about(texts: c.Mapping[str, str], folder: str) -> dict[OptionFile, str]:
    """Return the files that are about a script directory, with their main sections.

    :param texts: The contents of the files of a folder, by their paths.
    :param folder: The absolute path of the script directory.
    """
    files = [OptionFile(path, text) for path, text in texts.items()]
    found = {file: file.section_for(folder) for file in files}

    if not any(found.values()):
        return {}

    # Alembic takes both files of a folder, which may have one script location.
    sections = {file: found[file] or file.section_anywhere() for file in files}
    return {file: section for file, section in sections.items() if section}


def _check_flag(value: str | bool) -> None:
    from sqlalchemy.util import asbool

    asbool(value)


_CHECKS: c.Mapping[str, c.Callable[[t.Any], object]] = {
    "output_encoding": codecs.lookup,
    "recursive_version_locations": _check_flag,
    "revision_environment": _check_flag,
    "sourceless": _check_flag,
    "truncate_slug_length": int,
}
