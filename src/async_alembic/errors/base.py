"""The base of all errors."""

from __future__ import annotations


class AsyncAlembicError(RuntimeError):
    """The base of every error that this package raises deliberately."""


def is_connection_lost(error: BaseException | None) -> bool:
    """Return whether an error or one of its causes means that a connection was lost, as
    SQLAlchemy found. Drivers have too many codes for it, or none.
    """
    while error is not None:
        if getattr(error, "connection_invalidated", False):
            return True

        error = error.__cause__ or error.__context__

    return False
