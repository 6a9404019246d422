"""The core: one plain function for each command.

A command is handed a :class:`~async_alembic.environment.Project`, or an
:class:`~async_alembic.environment.Environment` where it needs the databases, and
returns data. It knows no event loop, engine or framework, and prints nothing.

The modules are imported when they are first used, as they import Alembic.
"""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from . import compare as compare
    from . import generate as generate
    from . import inspect as inspect
    from . import migrate as migrate


def __getattr__(name: str) -> t.Any:
    if name in {"compare", "generate", "inspect", "migrate"}:
        return importlib.import_module(f"{__name__}.{name}")

    raise AttributeError(name)
