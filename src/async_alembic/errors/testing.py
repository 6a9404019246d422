"""What goes wrong where databases are made for tests."""

from __future__ import annotations

import typing as t

from .base import AsyncAlembicError


class FreshDatabaseError(AsyncAlembicError):
    """A database cannot be made for a test."""

    @classmethod
    def not_empty(cls, name: str) -> t.Self:
        return cls(
            f"The database '{name}' of the server's URL is not empty, and is none that"
            " was made for tests. Name an empty one, the one that a server has for its"
            " administration, or a folder for files."
        )
