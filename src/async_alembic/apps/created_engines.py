"""Engines that are created from a URL of the app's config."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from sqlalchemy import exc

from ..errors import ConfigurationError
from ..errors import first_line
from .engines import SINGLE_CONNECTION_POOLS

if t.TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


def created_engine(
    url: str | sa.URL, setting: str, options: c.Mapping[str, t.Any] | None = None
) -> sa.Engine | AsyncEngine:
    """Create an engine, or an async one if its driver is async.

    :param url: The URL.
    :param setting: What has the URL, for errors.
    :param options: The ``sqlalchemy.*`` keys of ``ALEMBIC``.
    :raises ConfigurationError: If the URL or an option is invalid, or there is no
        driver.
    """
    options = dict(options or {})

    try:
        options["sqlalchemy.url"] = parsed = sa.make_url(url)
        dialect: t.Any = parsed.get_dialect()

        if not issubclass(dialect.get_pool_class(parsed), SINGLE_CONNECTION_POOLS):
            # An app without an engine does not reuse connections between calls.
            options.setdefault("sqlalchemy.poolclass", sa.NullPool)

        if dialect.is_async:
            from sqlalchemy.ext.asyncio import async_engine_from_config

            return async_engine_from_config(options)

        return sa.engine_from_config(options)
    except TypeError as e:
        raise ConfigurationError(
            "One of the settings 'sqlalchemy.*' in app.config['ALEMBIC'] is invalid:"
            f" {first_line(e)}."
        ) from e
    except (exc.ArgumentError, ImportError, ValueError) as e:
        # 'from None', because the error's text can contain the password.
        raise ConfigurationError(
            f"{setting} is not usable: {_reason(e)}. It must look like"
            " 'postgresql+asyncpg://user@host/name', and the driver must be installed."
        ) from None


def _reason(error: Exception) -> str:
    if isinstance(error, exc.NoSuchModuleError):
        return f"no dialect found ({error})".rstrip(".")

    if isinstance(error, ImportError):
        return f"{error}".rstrip(".")

    return "it is not a database URL"
