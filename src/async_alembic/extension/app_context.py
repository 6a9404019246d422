"""Connections that are held open until the end of an app context."""

from __future__ import annotations

import contextlib
import typing as t
from weakref import WeakKeyDictionary

from ..apps.current import current_context
from ..errors import AppError

if t.TYPE_CHECKING:
    import collections.abc as c

    from ..migration.environment import Environment


class AppContextEnvironments:
    """An open environment for each app context that asked for one.

    It is closed at the end of the app context that it was opened in, so that one
    request never closes the connections of another.
    """

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[
            object, tuple[contextlib.ExitStack, Environment]
        ] = WeakKeyDictionary()

    def get(self, make: c.Callable[[contextlib.ExitStack], Environment]) -> Environment:
        """The current app context's environment, made at first use.

        :param make: Makes one; what it enters on the stack is closed with the context.
        :raises AppError: If there is no app context.
        """
        context = current_context()

        if context is None:
            raise AppError(
                "The connection of a live property such as 'op' is closed at the end of"
                " the app context, and there is none. Use 'with app.app_context():', or"
                " 'run(lambda env: env.op...)'."
            )

        if context not in self._open:
            with contextlib.ExitStack() as stack:
                environment = make(stack)
                self._open[context] = stack.pop_all(), environment

        return self._open[context][1]

    def current(self) -> Environment | None:
        """The current app context's environment, if one was made."""
        context = current_context()
        return self._open[context][1] if context in self._open else None

    def close(self) -> None:
        """Close what the current app context opened, if anything."""
        context = current_context()

        if context in self._open:
            self._open.pop(context)[0].close()
