"""Hides the passwords of a database URL."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote
from urllib.parse import quote_plus

if t.TYPE_CHECKING:
    import collections.abc as c

    import sqlalchemy as sa

#: Names of query parameters that drivers take secrets from.
_NAMES = "(?i)pass|pwd|secret|token|credential|odbc_connect"
#: A shorter secret is only masked as a word of its own. Masking it in other words would
#: garble them, and give the secret away.
_MIN_MASKED = 6
_MASK = "***"


def visible_url(url: sa.URL) -> str:
    """Return a URL without its passwords."""
    visible = _without_rest(url)
    visible = visible.difference_update_query(_secret_names(url))
    return visible.render_as_string(hide_password=True)


def hide_secrets(text: str, url: sa.URL) -> str:
    """Replace the passwords of a URL in a text, however they are quoted."""
    secrets = {
        form
        for secret in filter(None, _secrets(url))
        for form in (secret, *_quoted_forms(secret))
    }

    # One can contain another one.
    for secret in sorted(secrets, key=len, reverse=True):
        text = _mask(text, secret)

    return text


def _quoted_forms(secret: str) -> tuple[str, ...]:
    return quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]


def _secrets(url: sa.URL) -> c.Iterator[str]:
    password = None if url.password is None else str(url.password)

    if password is not None:
        yield password

    if rest := _rest_of_password(url):
        yield rest
        yield f"{password}@{rest}"
        # A driver takes the first part of it for a host.
        yield from re.split("[@/:]", rest)

    for name in _secret_names(url):
        value = url.query[name]
        yield from [value] if isinstance(value, str) else value


def _secret_names(url: sa.URL) -> set[str]:
    return {name for name in url.query if re.search(_NAMES, name)}


def _rest_of_password(url: sa.URL) -> str | None:
    """Return what follows an "@" in a password that should have been written as "%40".
    A URL's password ends there, so the rest is part of the host or of the database.
    """
    if url.password is None:
        return None

    rest, at, _ = _after_password(url).rpartition("@")
    return rest if at else None


def _without_rest(url: sa.URL) -> sa.URL:
    if _rest_of_password(url) is None:
        return url

    host, slash, database = _after_password(url).rpartition("@")[2].partition("/")
    host, _, port = host.partition(":")
    return url.__class__.create(
        url.drivername,
        url.username,
        str(url.password),
        host or None,
        int(port) if port.isdigit() else None,
        database if slash else None,
        url.query,
    )


def _after_password(url: sa.URL) -> str:
    port = "" if url.port is None else f":{url.port}"
    database = "" if url.database is None else f"/{url.database}"
    return f"{url.host or ''}{port}{database}"


def _mask(text: str, secret: str) -> str:
    pattern = re.escape(secret)

    if len(secret) < _MIN_MASKED:
        pattern = rf"(?<!\w){pattern}(?!\w)"

    return re.sub(pattern, _MASK, text)
