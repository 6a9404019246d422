"""Build Alembic's ``Config`` from the app's settings."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..errors import plugin_errors
from .names import default_name
from .settings import format_value
from .settings import invalid_setting

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config

    from .settings import Settings


def build_config(
    settings: Settings, names: c.Sequence[str], x_args: c.Sequence[str] = ()
) -> Config:
    """Build the same ``Config`` that an ``alembic.ini`` with these settings would give.

    :param settings: The app's settings.
    :param names: What revisions call the databases, if they take a name. They are set
        as the ``databases`` option of Alembic's multidb template.
    :param x_args: What ``context.get_x_argument()`` returns.
    """
    import configparser
    from argparse import Namespace

    with plugin_errors():
        from alembic.config import Config

    # Without a quiet command line, Alembic prints status messages.
    config = Config(cmd_opts=Namespace(x=[*x_args], quiet=True))
    config.file_config["DEFAULT"]["here"] = _escape_percent(settings.root_path)
    options = dict(settings.options)
    options["script_location"] = settings.script_location
    options["version_locations"] = [
        settings.script_location,
        *settings.version_locations,
    ]
    texts = dict(_option_texts(config.config_ini_section, options, settings.separator))

    for (section, key), text in texts.items():
        _set_option(config, section, key, text)

    # A value may refer to an option set after it, so all are set before this check.
    for (section, key), text in texts.items():
        try:
            config.get_section_option(section, key)
        except configparser.InterpolationError:
            config.set_section_option(section, key, _escape_percent(text))

    if names:
        config.set_main_option("databases", ", ".join(names))

    return config


def add_urls(config: Config, urls: c.Mapping[str, sa.URL]) -> None:
    """Set ``sqlalchemy.url``, which revisions can read, unless the app has set it.

    :param config: The config, changed in place.
    :param urls: The URL of each database by its name. If there are several, each gets a
        section.
    """
    main = config.config_ini_section
    sections = [(name, url) for name, url in urls.items() if len(urls) > 1]

    for section, url in [(main, urls[default_name(urls)]), *sections]:
        if not config.file_config.has_option(section, "sqlalchemy.url"):
            text = url.render_as_string(hide_password=False)
            config.set_section_option(section, "sqlalchemy.url", _escape_percent(text))


def _option_texts(
    main: str, options: c.Mapping[str, t.Any], separator: str
) -> c.Iterator[tuple[tuple[str, str], str]]:
    """Yield the section, key and text of each option."""
    import sqlalchemy as sa

    for key, value in options.items():
        if key.startswith("sqlalchemy.") and not isinstance(value, (str, sa.URL)):
            # An engine argument such as 'connect_args' has no text form.
            continue

        if key == "post_write_hooks" and not isinstance(value, c.Mapping):
            raise invalid_setting(key, value, "a dict of that section's options")

        section, values = main, {key: value}

        if isinstance(value, c.Mapping):
            section, values = key, dict(value)

        for inner_key, inner_value in values.items():
            if inner_value is not None:
                joiner = ", " if inner_key == "hooks" else separator
                yield (section, inner_key), format_value(inner_value, joiner)


def _set_option(config: Config, section: str, key: str, text: str) -> None:
    """Set an option, whether or not its percent signs are doubled as in an ini file."""
    try:
        config.set_section_option(section, key, text)
    except ValueError:
        config.set_section_option(section, key, _escape_percent(text))


def _escape_percent(text: str) -> str:
    return text.replace("%", "%%")
