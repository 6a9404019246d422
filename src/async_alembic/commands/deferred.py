"""Commands whose modules are imported on first use."""

from __future__ import annotations

import collections.abc as c
import importlib
import sys
import typing as t

from ..errors import plugin_errors


class Deferred:
    """A command whose module is imported on the first call, or by :meth:`load`.

    :param module: The name of the module in this package.
    :param name: The name of the command.
    """

    def __init__(self, module: str, name: str) -> None:
        self.__module__ = f"{__package__}.{module}"
        self._name = name

    @property
    def is_loaded(self) -> bool:
        """Whether the module is imported."""
        return self.__module__ in sys.modules

    def load(self) -> c.Callable[..., t.Any]:
        """Import the module, and return the command itself."""
        with plugin_errors():
            module = importlib.import_module(self.__module__)

        return t.cast("c.Callable[..., t.Any]", getattr(module, self._name))

    def __call__(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return self.load()(*args, **kwargs)
