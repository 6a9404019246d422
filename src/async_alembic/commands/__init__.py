"""The core: one plain function for each command.

A command takes a :class:`.Project`, or an :class:`.Environment` if it needs the
databases, and returns data. It knows no event loop, engine or framework, and prints
nothing.

The modules import Alembic, so they are imported when a command is first called.
"""

from __future__ import annotations

import collections.abc as c
import importlib
import sys
import typing as t

if t.TYPE_CHECKING:
    from . import compare as compare
    from . import generate as generate
    from . import inspect as inspect
    from . import migrate as migrate


class Deferred:
    """A command whose module is imported on the first call, or by :meth:`load`.

    :param module: The name of the module in this package.
    :param name: The name of the command.
    """

    def __init__(self, module: str, name: str) -> None:
        self.__module__ = f"{__name__}.{module}"
        self._name = name

    @property
    def is_loaded(self) -> bool:
        """Whether the module is imported."""
        return self.__module__ in sys.modules

    def load(self) -> c.Callable[..., t.Any]:
        """Import the module, and return the command itself."""
        return t.cast(
            "c.Callable[..., t.Any]",
            getattr(importlib.import_module(self.__module__), self._name),
        )

    def __call__(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return self.load()(*args, **kwargs)


def changes_databases(command: object) -> bool:
    """Return whether a command may change databases, so that it needs connections of
    its own: what it leaves behind in a session must not reach the app.
    """
    return command.__module__ == f"{__name__}.migrate"


class _DeferredModule:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Deferred:
        return Deferred(self._name, name)


def __getattr__(name: str) -> _DeferredModule:
    if name in {"compare", "generate", "inspect", "migrate"}:
        return _DeferredModule(name)

    raise AttributeError(name)
