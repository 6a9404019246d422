"""Errors in the setup: config, apps, engines, connections."""

from __future__ import annotations

import collections.abc as c
import contextlib
import re
import typing as t

from .base import AsyncAlembicError
from .quoting import first_line

if t.TYPE_CHECKING:
    import sqlalchemy as sa

#: Names of query parameters that drivers take secrets from.
_secret = re.compile("passw|pwd|secret|token", re.IGNORECASE)
#: A shorter secret is only masked as a word of its own. Masking it in other words would
#: garble them, and give the secret away.
_MIN_MASKED = 6


class ConfigurationError(AsyncAlembicError):
    """A config key, a constructor argument or a folder is missing or invalid."""


class AppError(ConfigurationError):
    """No app or several apps are registered, or the current app is not registered."""


class TargetError(ConfigurationError):
    """Engines or metadata are missing, of mixed kinds, or do not match."""


@contextlib.contextmanager
def wrap_setting_errors(key: str) -> c.Iterator[None]:
    """Raise errors of an invalid setting in ``ALEMBIC`` as :exc:`ConfigurationError`.

    :param key: The key of the setting.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError) as e:
        raise ConfigurationError(
            f"app.config['ALEMBIC']['{key}'] is invalid: {first_line(e)}. Correct it."
        ) from e


class ScriptLocationError(ConfigurationError):
    """There is no script directory.

    :ivar path: The path where it is expected.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            f"There is no script directory '{path}'. Run 'db mkdir' to create it, or"
            " correct app.config['ALEMBIC']['script_location']."
        )
        self.path = path


class BlockingCallError(AsyncAlembicError):
    """A blocking method was called in a thread that runs an event loop.

    :ivar method: The name of the method or property.
    :ivar awaited: The expression to await instead.
    """

    def __init__(self, method: str, awaited: str) -> None:
        super().__init__(
            f"'SyncAlembic.{method}' would block the event loop that is running in this"
            f" thread. Use 'await alembic.{awaited}' on an 'Alembic' instance, or call"
            " it in another thread."
        )
        self.method = method
        self.awaited = awaited


class DatabaseConnectionError(AsyncAlembicError):
    """A database cannot be reached, or refuses the login.

    :ivar database: The name of the engine, such as ``"default"``.
    :ivar url: The engine's URL, without passwords.
    :ivar reason: What the driver or the server says, without passwords.
    """

    def __init__(self, database: str, url: sa.URL, error: BaseException) -> None:
        self.database = database
        secrets = {key for key in url.query if _secret.search(key)}
        visible = url.difference_update_query(secrets)
        self.url: str = visible.render_as_string(hide_password=True)
        reason = first_line(error)

        for secret in [url.password, *(url.query[key] for key in secrets)]:
            if secret:
                reason = _mask(reason, str(secret))

        self.reason: str = reason
        super().__init__(
            f"Cannot connect to database '{database}' at {self.url}: {reason}. Check"
            " the URL, the credentials, and that the database can be reached."
        )


def _mask(text: str, secret: str) -> str:
    pattern = re.escape(secret)

    if len(secret) < _MIN_MASKED:
        pattern = rf"(?<!\w){pattern}(?!\w)"

    return re.sub(pattern, "***", text)
