"""Errors in the setup: config, apps, engines, connections."""

from __future__ import annotations

import collections.abc as c
import contextlib
import re
import typing as t

from .base import AsyncAlembicError
from .quoting import first_line
from .quoting import with_class
from .secrets import hide_secrets
from .secrets import visible_url

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_SERVER_ADVICE = "Check the URL, the credentials, and that the database can be reached."
_OPTIONS_ADVICE = "Check the engine's options and its listeners."
_FULL_ADVICE = (
    "The server admits no further connection: raise its limit or that of the role, or"
    " end other sessions."
)
#: What PostgreSQL, MySQL and MariaDB say. psycopg and psycopg2 have no code.
_FULL = (
    "(?i)too many (clients|connections)|connection slots are reserved"
    "|max_(user_)?connections"
)


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
    """There is no script directory, or it has no revisions while another one near it
    has.

    :ivar path: The path where it is expected.
    :ivar found: The path of the script directory that has revisions, if any.
    """

    def __init__(
        self, path: str, found: str | None = None, relative: str | None = None
    ) -> None:
        if found is None:
            text = (
                f"There is no script directory '{path}'. Run 'db mkdir' to create it,"
                " or correct app.config['ALEMBIC']['script_location']."
            )
        else:
            text = (
                f"'{path}' has no revisions, but '{found}' has. To continue these, set"
                f' app.config["ALEMBIC"] = {{"script_location": "{relative}"}}. To'
                " begin another history, set the absolute path of its folder, such as"
                ' "%(here)s/migrations".'
            )

        super().__init__(text)
        self.path = path
        self.found = found


class BlockingCallError(AsyncAlembicError):
    """A blocking method was called in a thread that runs an event loop.

    :ivar method: The name of the method or property.
    :ivar awaited: The expression to await instead, or to iterate over by ``async for``.
    """

    def __init__(self, method: str, awaited: str, *, iterated: bool = False) -> None:
        how = "async for result in" if iterated else "await"
        super().__init__(
            f"'SyncAlembic.{method}' would block the event loop that is running in this"
            f" thread. Use '{how} alembic.{awaited}' on an 'Alembic' instance, or call"
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
        self.url: str = visible_url(url)
        self.reason: str = hide_secrets(with_class(error), url)
        super().__init__(
            f"Cannot connect to database '{database}' at {self.url}: {self.reason}."
            f" {_advice(error, self.reason)}"
        )


def _advice(error: BaseException, reason: str) -> str:
    if re.search(_FULL, reason):
        return _FULL_ADVICE

    return _OPTIONS_ADVICE if _is_of_program(error) else _SERVER_ADVICE


def _is_of_program(error: BaseException) -> bool:
    """Return whether an error was raised by a listener or by an option of the engine,
    not by a driver or by a network.
    """
    is_builtin = type(error).__module__ == "builtins"
    return is_builtin and not isinstance(error, OSError)
