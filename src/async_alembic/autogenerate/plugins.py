"""Alembic's plugins, which version 1.18 has added
(https://alembic.sqlalchemy.org/en/latest/api/plugins.html).
"""

from __future__ import annotations

import collections.abc as c
import fnmatch
import importlib.util
import typing as t

from alembic import util
from alembic.autogenerate import comparators
from alembic.util import CommandError

from ..errors import ConfigurationError
from ..errors import first_line

try:
    from alembic.runtime.plugins import Plugin
    from alembic.util import PriorityDispatchResult
except ImportError:
    _plugin_class: type[Plugin] | None = None
    #: What a comparison returns. Before there were plugins, it did not matter.
    STOP: t.Any = None
    CONTINUE: t.Any = None
else:
    _plugin_class = Plugin
    STOP = PriorityDispatchResult.STOP
    CONTINUE = PriorityDispatchResult.CONTINUE

HAS_PLUGINS = _plugin_class is not None

#: Whether Alembic can write a check of a table that exists, as its plugin for checks.
WRITES_CHECKS = bool(
    importlib.util.find_spec("alembic.ext")
    and importlib.util.find_spec("alembic.ext.checkconstraint_byname")
)

#: The default of ``autogenerate_plugins``.
_ALEMBIC_DEFAULT = ["alembic.autogenerate.*"]


def check_plugins(options: c.Mapping[str, t.Any]) -> None:
    """Check that there are the plugins that the app lists.

    :param options: The options of a migration context.
    :raises ConfigurationError: If one is missing, or its name is invalid.
    """
    listed: list[str] | None = options.get("autogenerate_plugins")

    if _plugin_class is not None and listed is not None:
        try:
            _plugin_class.populate_autogenerate_priority_dispatch(
                util.PriorityDispatcher(), listed
            )
        except (CommandError, ValueError) as e:
            raise ConfigurationError(
                "app.config['ALEMBIC_CONTEXT']['autogenerate_plugins'] is invalid:"
                f" {first_line(e)}. Correct it, or install or import the package that"
                " has the plugin."
            ) from e


class Comparison:
    """Our part of a comparison of Alembic: a plugin, which is used unless the app
    excludes Alembic's own. Before Alembic 1.18, it is always used.

    :param name: The name of the plugin, after ``async_alembic``.
    :param helps: The name of the plugin of Alembic that it helps, after
        ``alembic.autogenerate``.
    """

    def __init__(self, name: str, helps: str) -> None:
        self._name = f"async_alembic.{name}"
        self._helps = f"alembic.autogenerate.{helps}"
        self._plugin = _plugin_class(self._name) if _plugin_class else None

    def add(
        self,
        fn: c.Callable[..., t.Any],
        target: str,
        element: str | None = None,
        *,
        priority: t.Literal["FIRST", "MEDIUM", "LAST"] = "MEDIUM",
        needs_plugins: bool = False,
    ) -> None:
        """Add a function that compares.

        :param fn: The function, as of Alembic's ``add_autogenerate_comparator()``.
        :param target: What it compares: ``"schema"``, ``"table"`` or ``"column"``.
        :param element: What of it.
        :param priority: When it is called. Before Alembic 1.18, it is always the last.
        :param needs_plugins: Whether to leave it out before Alembic 1.18.
        """
        if self._plugin is not None:
            at = getattr(util.DispatchPriority, priority)
            self._plugin.add_autogenerate_comparator(fn, target, element, priority=at)
        elif not needs_plugins:
            comparators.dispatch_for(target)(fn)

    def with_plugin(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Add the plugin to the arguments for ``EnvironmentContext.configure()``,
        unless they exclude the one of Alembic that it helps.

        :param options: The arguments.
        """
        listed: list[str] = [*(options.get("autogenerate_plugins") or _ALEMBIC_DEFAULT)]
        included = any(fnmatch.fnmatch(self._helps, name) for name in listed)
        excluded = any(fnmatch.fnmatch(f"~{self._helps}", name) for name in listed)

        if not HAS_PLUGINS or not included or excluded:
            return options

        return {**options, "autogenerate_plugins": [*listed, self._name]}
