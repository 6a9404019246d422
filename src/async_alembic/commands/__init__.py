"""The core: one plain function for each command.

A command takes a :class:`.Project`, or an :class:`.Environment` if it needs the
databases, and returns data. It knows no event loop, engine or framework, and prints
nothing.

At head, none of them imports Alembic. A module is imported when one of its commands is
first called.
"""

from __future__ import annotations

import typing as t

from .deferred import Deferred as Deferred

if t.TYPE_CHECKING:
    from . import adopt as adopt
    from . import audit as audit
    from . import compare as compare
    from . import drift as drift
    from . import generate as generate
    from . import history as history
    from . import inspect as inspect
    from . import migrate as migrate
    from . import plan as plan
    from . import rebase as rebase
    from . import scratch as scratch
    from . import script_directory as script_directory
    from . import sql as sql
    from . import squash as squash
    from . import tables as tables
    from . import tenants as tenants
    from . import trace as trace
    from . import upgrade as upgrade

_MODULES = {
    *("adopt", "audit", "compare", "drift", "generate", "history"),
    *("inspect", "migrate", "plan", "rebase", "scratch", "script_directory", "sql"),
    *("squash", "tables", "tenants", "trace", "upgrade"),
}
_CHANGING = {
    f"{__name__}.{name}"
    for name in ("adopt", "migrate", "scratch", "tables", "tenants", "upgrade")
}


def changes_databases(command: object) -> bool:
    """Return whether a command may change databases, so that it needs connections of
    its own: what it leaves behind in a session must not reach the app.
    """
    return command.__module__ in _CHANGING


class _DeferredModule:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Deferred:
        return Deferred(self._name, name)


def __getattr__(name: str) -> _DeferredModule:
    if name in _MODULES:
        return _DeferredModule(name)

    raise AttributeError(name)
