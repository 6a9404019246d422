"""Counts the app contexts of Flask and Quart that are pushed and not popped.

A test's coroutine runs in a task of its own, whose context variables nobody else sees.
"""

from __future__ import annotations

import collections
import collections.abc as c
import contextlib
import sys
import typing as t


@contextlib.contextmanager
def count_open_contexts() -> c.Iterator[collections.Counter[t.Any]]:
    """Yield how many contexts of each app were pushed and not popped in the block."""
    open_contexts: collections.Counter[t.Any] = collections.Counter()

    def pushed(app: t.Any, **kwargs: object) -> None:
        open_contexts[app] += 1

    def popped(app: t.Any, **kwargs: object) -> None:
        open_contexts[app] -= 1

    # Quart would call a function in a worker thread.
    async def pushed_async(app: t.Any, **kwargs: object) -> None:
        pushed(app)

    async def popped_async(app: t.Any, **kwargs: object) -> None:
        popped(app)

    with contextlib.ExitStack() as stack:
        if (flask := sys.modules.get("flask")) is not None:
            stack.enter_context(flask.appcontext_pushed.connected_to(pushed))
            stack.enter_context(flask.appcontext_popped.connected_to(popped))

        if (quart := sys.modules.get("quart")) is not None:
            stack.enter_context(quart.appcontext_pushed.connected_to(pushed_async))
            stack.enter_context(quart.appcontext_popped.connected_to(popped_async))

        yield open_contexts
