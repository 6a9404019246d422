"""Errors of other packages' plugins, which Alembic loads when it is imported."""

from __future__ import annotations

import collections.abc as c
import contextlib
import sys
import traceback
import types

from .quoting import with_class
from .setup import ConfigurationError


@contextlib.contextmanager
def plugin_errors() -> c.Iterator[None]:
    """Name the plugin that keeps Alembic from being imported.

    :raises ConfigurationError: If it is one.
    """
    try:
        yield
    except Exception as e:
        if plugin := _plugin_of(e.__traceback__):
            # The next attempt would find half of Alembic.
            for module in [*sys.modules]:
                if module.partition(".")[0] == "alembic":
                    del sys.modules[module]

            name, package = plugin
            raise ConfigurationError(
                f"Alembic's plugin '{name}' of the package '{package}' cannot be"
                f" loaded: {with_class(e)}. Repair, upgrade or uninstall the package."
            ) from e

        raise


def _plugin_of(tb: types.TracebackType | None) -> tuple[str, str] | None:
    """Return the name and the package of the plugin that was being loaded."""
    for frame, _ in traceback.walk_tb(tb):
        # Alembic tells it to nobody.
        if frame.f_globals.get("__name__") == "alembic.runtime.plugins":
            if entry_point := frame.f_locals.get("entrypoint"):
                return entry_point.name, entry_point.dist.name

    return None
