"""Where the databases of an app are: one, or several with names."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa

from ...apps.names import default_name

T = t.TypeVar("T")
#: The name of a database, or ``None`` where there is one that needs none.
Name: t.TypeAlias = str | None
#: One URL, or one for each name.
Urls: t.TypeAlias = str | sa.URL | c.Mapping[str, str | sa.URL]


def by_name(urls: Urls) -> dict[Name, sa.URL]:
    """URLs as a user gives them, by the names."""
    if not isinstance(urls, c.Mapping):
        return {None: sa.make_url(urls)}

    return {name: sa.make_url(url) for name, url in urls.items()}


def as_given(urls: c.Mapping[Name, sa.URL]) -> str | dict[str, str]:
    """URLs as a user's function takes them, with their passwords."""
    texts = {
        name: url.render_as_string(hide_password=False) for name, url in urls.items()
    }
    return texts.pop(None, None) or t.cast("dict[str, str]", texts)


def find(things: c.Mapping[Name, T], name: str) -> T | None:
    """What belongs to a database of an app; if none has a name, the only thing."""
    return things.get(None, things.get(name))


def default_of(things: c.Mapping[Name, T]) -> T:
    """What belongs to the default database."""
    if None in things:
        return things[None]

    return things[default_name(t.cast("c.Mapping[str, T]", things))]
