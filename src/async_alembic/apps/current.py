"""The current app, app context and event loop.

Only this module asks Flask or Quart for them.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import contextvars
import sys
import typing as t

if t.TYPE_CHECKING:
    from types import ModuleType

    from flask import Flask
    from flask.sansio.app import App

T = t.TypeVar("T")


def current_context() -> object | None:
    """Return the current app context of Flask or Quart, or ``None``."""
    for framework in _frameworks_in_context():
        return t.cast("object", framework.globals.app_ctx._get_current_object())

    return None


def call_in_app_context(app: App, fn: c.Callable[[], T]) -> T:
    """Call a function in an app's context, for the command line. While an event loop is
    running, call it without one, because blocking code could not exit the context.

    :param app: A Flask or Quart app.
    :param fn: The function.
    :return: The function's result.
    """
    if app in current_apps() or loop_is_running():
        return fn()

    if is_quart(app):
        return _call_in_quart_context(t.cast("t.Any", app).app_context(), fn)

    with t.cast("Flask", app).app_context():
        return fn()


def _call_in_quart_context(
    app_context: contextlib.AbstractAsyncContextManager[t.Any], fn: c.Callable[[], T]
) -> T:
    import asyncio

    context = contextvars.copy_context()

    async def exit_context() -> None:
        # A Flask extension's teardown function can fail under Quart. By then the
        # command is finished.
        with contextlib.suppress(Exception):
            await app_context.__aexit__(None, None, None)

    with asyncio.Runner() as runner:
        runner.run(_enter(app_context), context=context)

        try:
            # The loop is not running here, so the function may block.
            return context.run(fn)
        finally:
            runner.run(exit_context(), context=context)


async def _enter(app_context: contextlib.AbstractAsyncContextManager[t.Any]) -> None:
    await app_context.__aenter__()


def is_quart(app: App) -> bool:
    """Whether an app is a Quart app."""
    quart = sys.modules.get("quart")
    return quart is not None and isinstance(app, quart.Quart)


def current_apps() -> list[App]:
    """Return the current Flask app and the current Quart app, if any."""
    return [
        framework.current_app._get_current_object()
        for framework in _frameworks_in_context()
    ]


def _frameworks_in_context() -> c.Iterator[ModuleType]:
    """Yield each framework that is imported and has a current app context."""
    for name in "flask", "quart":
        framework = sys.modules.get(name)

        if framework is not None and framework.has_app_context():
            yield framework


def loop_is_running() -> bool:
    """Whether an event loop, which a blocking call would stall, runs in this thread."""
    # An app does not have to import asyncio to start, and without it no loop runs.
    asyncio = sys.modules.get("asyncio")

    if asyncio is None:
        return False

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False

    return True
