"""The base of all errors."""

from __future__ import annotations

import collections.abc as c


class AsyncAlembicError(RuntimeError):
    """The base of every error that this package raises deliberately."""


def causes_of(error: BaseException | None) -> c.Iterator[BaseException]:
    """Yield an error, its cause, the cause of that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_connection_lost(error: BaseException | None) -> bool:
    """Return whether an error or one of its causes means that a connection was lost, as
    SQLAlchemy found. Drivers have too many codes for it, or none.
    """
    return any(
        getattr(cause, "connection_invalidated", False) for cause in causes_of(error)
    )
