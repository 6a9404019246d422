"""Alembic's plugins, which version 1.18 has added
(https://alembic.sqlalchemy.org/en/latest/api/plugins.html).
"""

from __future__ import annotations

import fnmatch
import typing as t

try:
    from alembic.runtime.plugins import Plugin as Plugin
    from alembic.util import PriorityDispatchResult
except ImportError:
    HAS_PLUGINS = False
    #: What a comparison returns. Before there were plugins, it did not matter.
    STOP: t.Any = None
    CONTINUE: t.Any = None
else:
    HAS_PLUGINS = True
    STOP = PriorityDispatchResult.STOP
    CONTINUE = PriorityDispatchResult.CONTINUE

#: The default of ``autogenerate_plugins``.
_ALEMBIC_DEFAULT = ["alembic.autogenerate.*"]


def with_plugin(
    options: dict[str, t.Any], plugin: str, alembics: str
) -> dict[str, t.Any]:
    """Add a plugin to the arguments for ``EnvironmentContext.configure()``, unless they
    exclude the one of Alembic that it helps.

    :param options: The arguments.
    :param plugin: The name of the plugin.
    :param alembics: The name of Alembic's own.
    """
    listed: list[str] = [*(options.get("autogenerate_plugins") or _ALEMBIC_DEFAULT)]
    included = any(fnmatch.fnmatch(alembics, name) for name in listed)
    excluded = any(fnmatch.fnmatch(f"~{alembics}", name) for name in listed)

    if not HAS_PLUGINS or not included or excluded:
        return options

    return {**options, "autogenerate_plugins": [*listed, plugin]}
