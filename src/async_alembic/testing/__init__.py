"""Migrated databases for tests, and tests for migrations.

``plugin.py`` is what pytest loads wherever this package is installed, so that nothing
may be imported here or there before a fixture needs it.
"""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from .assertions import assert_models_match as assert_models_match
    from .checks.walks import RevisionData as RevisionData
    from .copying.databases import FreshDatabase as FreshDatabase
    from .fresh import fresh_database as fresh_database
    from .histories import History as History
    from .leaks import no_leaks as no_leaks

_modules = {
    "FreshDatabase": "copying.databases",
    "History": "histories",
    "RevisionData": "checks.walks",
    "assert_models_match": "assertions",
    "fresh_database": "fresh",
    "no_leaks": "leaks",
}
__all__ = [
    "FreshDatabase",
    "History",
    "RevisionData",
    "assert_models_match",
    "fresh_database",
    "no_leaks",
]


def __getattr__(name: str) -> t.Any:
    if name not in _modules:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")

    return getattr(importlib.import_module(f".{_modules[name]}", __name__), name)
