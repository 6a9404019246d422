"""Migrated databases for tests, and tests for migrations.

pytest loads ``plugin.py`` in every environment that has this package, so this module
and ``plugin.py`` import nothing until a fixture needs it.
"""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from .assertions import assert_models_match as assert_models_match
    from .checks.migrating import RevisionData as RevisionData
    from .copying.fresh_databases import FreshDatabase as FreshDatabase
    from .fresh import fresh_database as fresh_database
    from .histories import History as History
    from .leaks import no_leaks as no_leaks

_modules = {
    "FreshDatabase": "copying.fresh_databases",
    "History": "histories",
    "RevisionData": "checks.migrating",
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
