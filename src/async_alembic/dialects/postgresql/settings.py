"""Settings of a session, or of one transaction."""

from __future__ import annotations

import sqlalchemy as sa

from ...errors import ConfigurationError
from ..base import Setting
from ..base import setting_errors

#: The execution option for the settings that each transaction of a connection gets.
LOCAL_SETTINGS = "async_alembic_local_settings"

_get = sa.text("SELECT current_setting(:name, true)").bindparams(
    sa.bindparam("name", type_=sa.String)
)
_set = sa.text("SELECT set_config(:name, :value, :is_local)").bindparams(
    sa.bindparam("name", type_=sa.String),
    sa.bindparam("value", type_=sa.String),
    sa.bindparam("is_local", type_=sa.Boolean),
)


def get_setting(connection: sa.Connection, name: str) -> str | None:
    value: str | None = connection.scalar(_get, {"name": name})

    # A name with a dot is a custom setting, which need not exist.
    if value is None and "." not in name:
        raise ConfigurationError(
            f"app.config['ALEMBIC_SESSION']['{name}'] is not a setting of this server."
            " Correct the name; 'SHOW ALL' lists all settings."
        )

    return value


def set_setting(
    connection: sa.Connection, name: str, value: Setting | None, *, is_local: bool
) -> None:
    """Change a setting.

    :param is_local: Whether to change it for the current transaction only.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = "" if value is None else text
    connection.execute(_set, {"name": name, "value": text, "is_local": is_local})


def apply_local_settings(connection: sa.Connection) -> None:
    """Change the settings of a transaction that has begun."""
    for name, value in (
        connection.get_execution_options().get(LOCAL_SETTINGS, {}).items()
    ):
        with setting_errors(name, value):
            get_setting(connection, name)
            set_setting(connection, name, value, is_local=True)
