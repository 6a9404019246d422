"""Connections that stay open until the end of an app context."""

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
    """The open environments, one per app context.

    Each is closed at the end of its own app context, so that a request never closes the
    connections of another request.
    """

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[
            object, tuple[contextlib.ExitStack, Environment]
        ] = WeakKeyDictionary()

    def get(self, make: c.Callable[[contextlib.ExitStack], Environment]) -> Environment:
        """Return the current app context's environment, created on first use.

        :param make: Creates an environment. The stack that it gets is closed at the end
            of the app context.
        :raises AppError: If there is no app context.
        """
        context = current_context()

        if context is None:
            raise AppError(
                "Properties such as 'op' need an app context, which closes their"
                " connection. Use 'with app.app_context():', or"
                " 'run(lambda env: env.op...)'."
            )

        if context not in self._open:
            with contextlib.ExitStack() as stack:
                environment = make(stack)
                self._open[context] = stack.pop_all(), environment

        return self._open[context][1]

    def current(self) -> Environment | None:
        """Return the current app context's environment, or ``None``."""
        context = current_context()
        return self._open[context][1] if context in self._open else None

    def close(self) -> None:
        """Close the current app context's environment, if any."""
        context = current_context()

        if context in self._open:
            self._open.pop(context)[0].close()
