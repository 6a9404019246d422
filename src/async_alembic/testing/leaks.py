"""Detection of connections and contexts that a test leaves open."""

from __future__ import annotations

import collections.abc as c
import contextlib
import traceback
import typing as t

import alembic.op
import sqlalchemy as sa
from sqlalchemy import event

from ..apps.context_signals import count_open_contexts
from .checks import CheckFailedError

#: How many stack frames to show for each open connection.
_SHOWN_FRAMES = 3


@contextlib.contextmanager
def no_leaks() -> c.Iterator[None]:
    """Check that the block leaves no connection, app context or migration context open.

    :raises AssertionError: If one is open. The message shows where each connection
        was checked out.
    """
    proxy = _installed_proxy()

    with _track_connections() as checked_out, count_open_contexts() as contexts:
        yield

    lines = [line for site in checked_out.values() for line in site]

    if any(count > 0 for count in contexts.values()):
        lines.append("an app context was pushed and not popped")

    if _installed_proxy() not in (None, proxy):
        lines.append("a migration context was entered and not left")

    if lines:
        raise CheckFailedError(
            "Connections or contexts are left open. Close each in the test or in the"
            " app, preferably by using 'with'.",
            lines,
        )


def _installed_proxy() -> object:
    # There's no public way to check whether one is installed.
    return vars(alembic.op).get("_proxy")


@contextlib.contextmanager
def _track_connections() -> c.Iterator[dict[int, list[str]]]:
    """Yield the call site of each open connection, by the id of its pool record, or of
    the connection once it is detached.
    """
    checked_out: dict[int, list[str]] = {}

    def checkout(connection: t.Any, record: object, proxy: object) -> None:
        checked_out[id(record)] = _call_site()

    def checkin(connection: t.Any, record: object) -> None:
        checked_out.pop(id(record), None)

    def detach(connection: t.Any, record: object) -> None:
        checked_out[id(connection)] = checked_out.pop(id(record), [])

    def close_detached(connection: t.Any) -> None:
        checked_out.pop(id(connection), None)

    listeners: dict[str, c.Callable[..., None]] = {
        "checkout": checkout,
        "checkin": checkin,
        "detach": detach,
        "close_detached": close_detached,
    }

    for name, listener in listeners.items():
        event.listen(sa.Pool, name, listener)

    try:
        yield checked_out
    finally:
        for name, listener in listeners.items():
            event.remove(sa.Pool, name, listener)


def _call_site() -> list[str]:
    """Return the lines of the user's code that check out a connection."""
    frames = [
        frame
        for frame in traceback.extract_stack()
        if "site-packages" not in frame.filename and frame.filename != __file__
    ]
    return [
        "a connection was checked out in",
        *(f"  {f.filename}:{f.lineno} {f.line}" for f in frames[-_SHOWN_FRAMES:]),
    ]
