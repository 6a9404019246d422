"""Finds keys in the app's config that look like a misspelt setting.

Keys that look like none are the app's own: revisions and plugins can read them.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..errors import ConfigurationError

#: The settings of the extension in ``app.config``.
_KEYS = {
    "ALEMBIC",
    "ALEMBIC_AUDIT",
    "ALEMBIC_CODE_VERSION",
    "ALEMBIC_CONTEXT",
    "ALEMBIC_DROP_UNKNOWN_TABLES",
    "ALEMBIC_IGNORE_ENV_PY",
    "ALEMBIC_LOCK",
    "ALEMBIC_LOCK_TIMEOUT",
    "ALEMBIC_RETRIES",
    "ALEMBIC_SESSION",
    "ALEMBIC_TENANTS",
}
#: The options of ``alembic.ini``
#: (https://alembic.sqlalchemy.org/en/latest/tutorial.html#editing-the-ini-file).
_OPTIONS = {
    "databases",
    "file_template",
    "linear",
    "output_encoding",
    "path_separator",
    "post_write_hooks",
    "prepend_sys_path",
    "recursive_version_locations",
    "revision_environment",
    "script_location",
    "sourceless",
    "sqlalchemy.url",
    "timezone",
    "truncate_slug_length",
    "version_locations",
    "version_path_separator",
}
#: The arguments of Alembic's ``EnvironmentContext.configure()``, and the options that
#: it documents elsewhere.
_CONTEXT = {
    "alembic_module_prefix",
    "autogenerate_plugins",
    "compare_server_default",
    "compare_type",
    "connection",
    "dialect_name",
    "dialect_opts",
    "downgrade_token",
    "fn",
    "include_name",
    "include_object",
    "include_schemas",
    "literal_binds",
    "mssql_batch_separator",
    "on_version_apply",
    "oracle_batch_separator",
    "output_buffer",
    "process_revision_directives",
    "render_as_batch",
    "render_item",
    "sqlalchemy_module_prefix",
    "starting_rev",
    "tag",
    "target_metadata",
    "template_args",
    "transaction_per_migration",
    "transactional_ddl",
    "upgrade_token",
    "url",
    "user_module_prefix",
    "version_table",
    "version_table_pk",
    "version_table_schema",
}


def check_spelling(app_config: c.Mapping[str, t.Any]) -> None:
    """Check the keys of the app's config.

    :param app_config: ``app.config``.
    :raises ConfigurationError: If one of them looks like a misspelt setting.
    """
    own = [key for key in app_config if key.startswith("ALEMBIC")]
    _check(own, _KEYS, "app.config")
    _check(app_config["ALEMBIC"], _OPTIONS, "app.config['ALEMBIC']")
    _check(app_config["ALEMBIC_CONTEXT"], _CONTEXT, "app.config['ALEMBIC_CONTEXT']")


def _check(keys: c.Iterable[str], known: set[str], where: str) -> None:
    for key in keys:
        if key not in known and (meant := _nearest(key, known)):
            raise ConfigurationError(
                f"{where} has no setting '{key}'. Did you mean '{meant}'?"
            )


def _nearest(key: str, known: set[str]) -> str | None:
    import difflib

    found = difflib.get_close_matches(key.lower(), [*map(str.lower, known)], 1, 0.85)
    return next((name for name in known if name.lower() in found), None)
