"""The config that the commands for one tenant see. It has what tells tenants apart: a
search path and the schema of the version table.
"""

from __future__ import annotations

import collections.abc as c
import os
import typing as t

from ..errors import ConfigurationError

if t.TYPE_CHECKING:
    from .tenants import Tenant

_KEY = "app.config['ALEMBIC_TENANTS']"
_DEFAULTS: c.Mapping[str, t.Any] = {
    "script_location": "tenant_migrations",
    "version_locations": [],
    "search_path": [],
}


def tenant_config(
    app_config: c.Mapping[str, t.Any], tenant: Tenant
) -> c.Mapping[str, t.Any]:
    """Return an app's config as it is for a tenant.

    :param app_config: ``app.config``, which is not changed.
    """
    own = _own_settings(app_config)
    context = {**app_config["ALEMBIC_CONTEXT"]}
    context.pop("version_table_schema", None)
    # The other schemas are those of other tenants.
    context.pop("include_schemas", None)
    session = _shared_session(app_config)

    if tenant.schema is not None:
        schemas = [tenant.schema, *own["search_path"]]
        session["search_path"] = ", ".join(map(_quote, schemas))

    alembic = {
        **app_config["ALEMBIC"],
        "script_location": _certain(own["script_location"]),
        "version_locations": own["version_locations"],
    }
    return {
        **app_config,
        "ALEMBIC": alembic,
        "ALEMBIC_CONTEXT": context,
        "ALEMBIC_SESSION": session,
    }


def _own_settings(app_config: c.Mapping[str, t.Any]) -> c.Mapping[str, t.Any]:
    settings = app_config.get("ALEMBIC_TENANTS", {})

    if not isinstance(settings, c.Mapping):
        raise ConfigurationError(
            f"{_KEY} must be a dict of settings, not {settings!r}."
        )

    if unknown := settings.keys() - _DEFAULTS.keys():
        raise ConfigurationError(
            f"{_KEY} has no setting '{min(unknown)}'. There are"
            f" {', '.join(map(repr, _DEFAULTS))}."
        )

    found = {**_DEFAULTS, **settings}
    path = found["search_path"]

    if isinstance(path, str) or not all(isinstance(name, str) for name in path):
        raise ConfigurationError(
            f"{_KEY}['search_path'] must be a list of schemas, not {path!r}."
        )

    if not isinstance(found["script_location"], (str, os.PathLike)):
        raise ConfigurationError(
            f"{_KEY}['script_location'] must be a path, not"
            f" {found['script_location']!r}."
        )

    return found


def _certain(location: str | os.PathLike[str]) -> str:
    """Return a script location beside which no other one is looked for."""
    path = os.fspath(location)
    is_certain = os.path.isabs(path) or ":" in path or "%(here)s" in path
    return path if is_certain else f"%(here)s/{path}"


def _shared_session(app_config: c.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the session settings that are for no particular database."""
    session = app_config.get("ALEMBIC_SESSION") or {}

    if not isinstance(session, c.Mapping):
        # Whoever reads it says what is wrong.
        return {}

    return {k: v for k, v in session.items() if not isinstance(v, c.Mapping)}


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
