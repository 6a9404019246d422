"""Errors while databases are created for tests."""

from __future__ import annotations

import typing as t

from .base import AsyncAlembicError


class FreshDatabaseError(AsyncAlembicError):
    """A test database cannot be created."""

    @classmethod
    def not_empty(cls, name: str) -> t.Self:
        return cls(
            f"The database '{name}' in the server URL is not empty, and was not created"
            " for tests. Name an empty database, the server's maintenance database, or"
            " a folder for files."
        )
