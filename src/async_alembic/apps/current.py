"""Which app, which app context and which event loop is current.

The only place that asks Flask or Quart.
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
    """The current app context of Flask or Quart, to keep things for its time."""
    for framework in _frameworks_in_context():
        return t.cast("object", framework.globals.app_ctx._get_current_object())

    return None


def call_in_app_context(app: App, fn: c.Callable[[], T]) -> T:
    """Call a function within an app's context, for the command line. Not where an event
    loop is running, as there neither framework's context can be left by blocking code.

    :param app: A Flask or a Quart app.
    :param fn: The function.
    :return: What it returned.
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

    async def leave() -> None:
        # An extension for Flask can have a teardown function that fails under Quart.
        # The command is done by then.
        with contextlib.suppress(Exception):
            await app_context.__aexit__(None, None, None)

    with asyncio.Runner() as runner:
        runner.run(_enter(app_context), context=context)

        try:
            # The loop is not running meanwhile, so that the function may block.
            return context.run(fn)
        finally:
            runner.run(leave(), context=context)


async def _enter(app_context: contextlib.AbstractAsyncContextManager[t.Any]) -> None:
    await app_context.__aenter__()


def is_quart(app: App) -> bool:
    """Whether an app is Quart's."""
    quart = sys.modules.get("quart")
    return quart is not None and isinstance(app, quart.Quart)


def current_apps() -> list[App]:
    """The apps whose context is current: one of Flask, one of Quart, or both."""
    return [
        framework.current_app._get_current_object()
        for framework in _frameworks_in_context()
    ]


def _frameworks_in_context() -> c.Iterator[ModuleType]:
    """Flask and Quart, each if it is imported and an app context of it is current."""
    for name in "flask", "quart":
        framework = sys.modules.get(name)

        if framework is not None and framework.has_app_context():
            yield framework


def loop_is_running() -> bool:
    """Whether an event loop runs in this thread, which a blocking call would stall."""
    asyncio = sys.modules.get("asyncio")

    # Where it was not imported, no loop runs, and an app need not import it to start.
    if asyncio is None:
        return False

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False

    return True
