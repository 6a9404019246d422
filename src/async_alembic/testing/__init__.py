"""Migrated databases for tests, and tests for migrations.

``plugin.py`` is what pytest loads wherever this package is installed, so that nothing
may be imported here or there before a fixture needs it.
"""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from .checks.walks import RevisionData as RevisionData
    from .databases import FreshDatabase as FreshDatabase
    from .fresh import fresh_database as fresh_database

_modules = {
    "FreshDatabase": "databases",
    "RevisionData": "checks.walks",
    "fresh_database": "fresh",
}
__all__ = [
    "FreshDatabase",
    "RevisionData",
    "fresh_database",
]


def __getattr__(name: str) -> t.Any:
    if name not in _modules:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")

    return getattr(importlib.import_module(f".{_modules[name]}", __name__), name)
