"""One URL, or a URL for each named database of an app."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa

from ...apps.names import default_name

T = t.TypeVar("T")
#: The name of a database, or ``None`` for a single database without a name.
DatabaseName: t.TypeAlias = str | None
#: One URL, or a URL for each database name.
Urls: t.TypeAlias = str | sa.URL | c.Mapping[str, str | sa.URL]


def parse_urls(urls: Urls) -> dict[DatabaseName, sa.URL]:
    """Parse the URLs that a user passes."""
    if not isinstance(urls, c.Mapping):
        return {None: sa.make_url(urls)}

    return {name: sa.make_url(url) for name, url in urls.items()}


def render_urls(urls: c.Mapping[DatabaseName, sa.URL]) -> str | dict[str, str]:
    """Render URLs, with passwords, in the form that the user's app factory takes."""
    texts = {
        name: url.render_as_string(hide_password=False) for name, url in urls.items()
    }
    return texts.pop(None, None) or t.cast("dict[str, str]", texts)


def get_by_name(values: c.Mapping[DatabaseName, T], name: str) -> T | None:
    """Return the value for a database, or the only value if it has no name."""
    return values.get(None, values.get(name))


def get_default(values: c.Mapping[DatabaseName, T]) -> T:
    """Return the value for the default database."""
    if None in values:
        return values[None]

    return values[default_name(t.cast("c.Mapping[str, T]", values))]
