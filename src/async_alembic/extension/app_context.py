"""Connections that stay open until the end of an app context."""

from __future__ import annotations

import contextlib
import typing as t
from weakref import WeakKeyDictionary

from ..apps.current import current_context
from ..errors import AppError

if t.TYPE_CHECKING:
    import collections.abc as c

    from ..apps.registry import Registry
    from ..migration.environment import Environment


class AppContextEnvironments:
    """The open environments, one per app context and extension.

    Each is closed at the end of its own app context, so that a request never closes the
    connections of another request.
    """

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[
            object, tuple[contextlib.ExitStack, dict[Registry, Environment]]
        ] = WeakKeyDictionary()

    def get(
        self,
        registry: Registry,
        make: c.Callable[[contextlib.ExitStack], Environment],
    ) -> Environment:
        """Return the current app context's environment, created on first use.

        :param registry: The registry of the extension, with its options.
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

        opened, environments = self._open.setdefault(
            context, (contextlib.ExitStack(), {})
        )

        if registry not in environments:
            with contextlib.ExitStack() as stack:
                environments[registry] = make(stack)
                opened.push(stack.pop_all())

        return environments[registry]

    def current(self, registry: Registry) -> Environment | None:
        """Return the current app context's environment, or ``None``.

        :param registry: The registry of the extension, with its options.
        """
        context = current_context()
        return self._open[context][1].get(registry) if context in self._open else None

    def close(self) -> None:
        """Close the current app context's environments, if any."""
        context = current_context()

        if context in self._open:
            self._open.pop(context)[0].close()
