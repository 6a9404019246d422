"""Alembic's ``Config``, made from the app's settings. Alembic and SQLAlchemy are
imported when one is built.
"""

from __future__ import annotations

import collections.abc as c
import os
import typing as t

from .names import default_name
from .settings import wrong_setting

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config

    from .settings import Settings


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
            raise wrong_setting(key, value, "a dict, as the section of that name")

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


def _escape(text: str) -> str:
    return text.replace("%", "%%")
