"""Connections that were not given back, and contexts that were not left."""

from __future__ import annotations

import collections.abc as c
import contextlib
import traceback
import typing as t

import alembic.op
import sqlalchemy as sa
from sqlalchemy import event

from ..apps.current import current_context
from .checks import CheckFailedError

#: How many lines of the code that has connected are shown.
_SHOWN = 3


@contextlib.contextmanager
def no_leaks() -> c.Iterator[None]:
    """Check that what is begun meanwhile is ended: every connection of an engine was
    given back, and every app context and migration context was left.

    :raises CheckFailedError: If not. It shows where each connection was taken.
    """
    app_context, op = current_context(), _installed_op()

    with _connections() as taken:
        yield

    lines = [line for place in taken.values() for line in place]

    if current_context() not in (None, app_context):
        lines.append("an app context was entered, and not left")

    if _installed_op() not in (None, op):
        lines.append("'alembic.op' was installed by a migration that has not ended")

    if lines:
        raise CheckFailedError(
            "Connections or contexts are left open. Close each in the test or in the"
            " app, best by 'with'.",
            lines,
        )


def _installed_op() -> object:
    # There's no public way to tell whether one is installed.
    return vars(alembic.op).get("_proxy")


@contextlib.contextmanager
def _connections() -> c.Iterator[dict[int, list[str]]]:
    """Where each connection was taken that is out, by what stands for it."""
    taken: dict[int, list[str]] = {}

    def checkout(connection: t.Any, record: object, proxy: object) -> None:
        taken[id(record)] = _place()

    def checkin(connection: t.Any, record: object) -> None:
        taken.pop(id(record), None)

    def detach(connection: t.Any, record: object) -> None:
        taken[id(connection)] = taken.pop(id(record), [])

    def close_detached(connection: t.Any) -> None:
        taken.pop(id(connection), None)

    listeners: dict[str, c.Callable[..., None]] = {
        "checkout": checkout,
        "checkin": checkin,
        "detach": detach,
        "close_detached": close_detached,
    }

    for name, listener in listeners.items():
        event.listen(sa.Pool, name, listener)

    try:
        yield taken
    finally:
        for name, listener in listeners.items():
            event.remove(sa.Pool, name, listener)


def _place() -> list[str]:
    """The lines of the user's code that take a connection."""
    frames = [
        frame
        for frame in traceback.extract_stack()
        if "site-packages" not in frame.filename and frame.filename != __file__
    ]
    return [
        "a connection was taken in",
        *(f"  {f.filename}:{f.lineno} {f.line}" for f in frames[-_SHOWN:]),
    ]
