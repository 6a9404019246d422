"""Reads the code of an error from any driver."""

from __future__ import annotations


def sqlstate(error: BaseException | None) -> str | None:
    """Return the code that the server gave an error, such as ``"55P03"``."""
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
