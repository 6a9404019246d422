"""Settings of a session, or of one transaction."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa
from sqlalchemy import event

from ...errors import ConfigurationError
from ..base import Setting
from ..migrated import is_autocommit
from ..place import setting_errors

#: The execution option for the settings that each transaction of a connection gets.
_LOCAL_SETTINGS = "async_alembic_local_settings"

#: The settings that decide which tables a statement works on, or as whom.
_MEANING = {"role", "search_path", "session_authorization"}

_name = sa.bindparam("name", type_=sa.String)
#: A value that a session has set itself. It has all others from its start
#: (https://www.postgresql.org/docs/current/view-pg-settings.html).
_get = sa.text(
    "SELECT current_setting(:name, true), EXISTS (SELECT FROM pg_settings"
    " WHERE lower(name) = lower(:name) AND source = 'session')"
).bindparams(_name)
_set = sa.text("SELECT set_config(:name, :value, :is_local)").bindparams(
    _name,
    sa.bindparam("value", type_=sa.String),
    sa.bindparam("is_local", type_=sa.Boolean),
)

#: What PREPARE has made, but not what drivers have prepared by the protocol.
_DEALLOCATE = (
    "DO $$ DECLARE prepared text; BEGIN"
    " FOR prepared IN SELECT name FROM pg_prepared_statements WHERE from_sql"
    " LOOP EXECUTE 'DEALLOCATE ' || quote_ident(prepared); END LOOP; END $$"
)
#: As DISCARD ALL, which would also discard what drivers have prepared.
_RESET = (
    f"SET SESSION AUTHORIZATION DEFAULT; RESET ALL; {_DEALLOCATE}; CLOSE ALL;"
    " UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)


def reset_session(connection: t.Any, driver: str) -> None:
    """See :meth:`.Dialect.reset_session`."""
    if driver == "asyncpg":
        # It would prepare the text, which has several statements.
        connection.run_async(lambda adapted: adapted.execute(_RESET))
        return

    cursor = connection.cursor()
    cursor.execute(_RESET)
    cursor.close()
    connection.commit()


def get_setting(connection: sa.Connection, name: str) -> str | None:
    """See :meth:`.Dialect.get_setting`."""
    value, is_of_session = connection.execute(_get, {"name": name}).one()
    return t.cast("str", value) if is_of_session else None


def set_setting(
    connection: sa.Connection,
    name: str,
    value: Setting | None,
    *,
    is_local: bool = False,
) -> None:
    """Change a setting.

    :param value: The value; ``None`` to reset it to that of the session's start.
    :param is_local: Whether to change it for the current transaction only.
    """
    if value is None:
        quoted = connection.dialect.identifier_preparer.quote_identifier(name)
        connection.execute(sa.text(f"RESET {quoted}"))
        return

    text = str(value).lower() if isinstance(value, bool) else str(value)
    connection.execute(_set, {"name": name, "value": text, "is_local": is_local})


@contextlib.contextmanager
def in_each_transaction(
    connection: sa.Connection, settings: c.Mapping[str, Setting]
) -> c.Iterator[None]:
    """Change settings in each transaction of a connection."""
    connection.execution_options(**{_LOCAL_SETTINGS: settings})
    event.listen(connection, "begin", _apply)

    try:
        yield
    finally:
        event.remove(connection, "begin", _apply)


def check_holds_outside_transactions(connection: sa.Connection) -> None:
    """Check that a statement outside of a transaction means the same as in one.

    :raises ConfigurationError: If each transaction of the connection gets settings that
        decide which tables it works on, or as whom.
    """
    settings = connection.get_execution_options().get(_LOCAL_SETTINGS, {})

    for name in settings.keys() & _MEANING:
        raise ConfigurationError(
            f"The setting '{name}' cannot hold outside of a transaction behind this"
            " pooler, so 'autocommit_block()' is refused. Migrate by a URL that leads"
            " to the server, past the pooler."
        )


def apply_settings_last(connection: sa.Connection) -> None:
    """Change the settings of each transaction, if any, after what all other listeners
    do at its begin.
    """
    # SQLAlchemy ignores the order that a listener of connections asks for.
    if event.contains(connection, "begin", _apply):
        event.remove(connection, "begin", _apply)
        event.listen(connection, "begin", _apply)


def _apply(connection: sa.Connection) -> None:
    options = connection.get_execution_options()

    # Outside of a transaction, they would last for the next statement only.
    if is_autocommit(connection):
        return

    for name, value in options[_LOCAL_SETTINGS].items():
        with setting_errors(name, value):
            set_setting(connection, name, value, is_local=True)
