"""``op`` and ``context`` proxies that do not keep a connection open: each use runs on
its own connection.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..errors import AsyncAlembicError

Use: t.TypeAlias = c.Callable[[t.Any], t.Any]


class AwaitedProxy:
    """Alembic's ``Operations`` or ``MigrationContext``, awaited.

    Every method is a coroutine function, and every other attribute is awaitable.

    :param name: The name of the property, for error messages.
    :param run: Calls a function with the real object, and is awaited for the result.
    """

    def __init__(self, name: str, run: c.Callable[[Use], c.Awaitable[t.Any]]) -> None:
        self._name = name
        self._run = run

    def __getattr__(self, attribute: str) -> AwaitedAttribute:
        _refuse_private(attribute)
        return AwaitedAttribute(self._run, f"{self._name}.{attribute}", attribute)


class AwaitedAttribute:
    """A method to call and await, or an attribute to await."""

    def __init__(
        self,
        run: c.Callable[[Use], c.Awaitable[t.Any]],
        name: str,
        attribute: str,
    ) -> None:
        self._run = run
        self._name = name
        self._attribute = attribute

    async def __call__(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return await self._run(
            lambda target: _ensure_detached(
                getattr(target, self._attribute)(*args, **kwargs), self._name
            )
        )

    def __await__(self) -> c.Generator[t.Any, t.Any, t.Any]:
        def get(target: t.Any) -> t.Any:
            value = _ensure_detached(getattr(target, self._attribute), self._name)

            if callable(value):
                raise AsyncAlembicError(
                    f"'{self._name}' is a method. Call it: 'await"
                    f" alembic.{self._name}(...)'."
                )

            return value

        return self._run(get).__await__()


class BlockingProxy:
    """Alembic's ``Operations`` or ``MigrationContext``, blocking.

    :param cls: The class of the real object, to distinguish methods from attributes.
    :param name: The name of the property, for error messages.
    :param run: Calls a function with the real object, and returns the result.
    """

    def __init__(
        self, cls: type[t.Any], name: str, run: c.Callable[[Use], t.Any]
    ) -> None:
        self._cls = cls
        self._name = name
        self._run = run

    def __getattr__(self, attribute: str) -> t.Any:
        _refuse_private(attribute)
        name = f"{self._name}.{attribute}"

        if not callable(getattr(self._cls, attribute, None)):
            return self._run(
                lambda target: _ensure_detached(getattr(target, attribute), name)
            )

        def method(*args: t.Any, **kwargs: t.Any) -> t.Any:
            return self._run(
                lambda target: _ensure_detached(
                    getattr(target, attribute)(*args, **kwargs), name
                )
            )

        return method


#: Attributes of context managers, and of Alembic's objects that hold a connection.
_connection_attributes = ("__enter__", "connection", "migration_context")


def _refuse_private(attribute: str) -> None:
    if attribute.startswith("_"):
        raise AttributeError(attribute)


def _ensure_detached(value: t.Any, name: str) -> t.Any:
    """Return a value, if it is usable after its connection is closed."""
    if any(hasattr(value, name) for name in _connection_attributes):
        raise AsyncAlembicError(
            f"'{name}' returns an object that needs an open connection. Use"
            f" 'env.{name}' in a function that is passed to 'run', such as"
            " 'run(lambda env: ...)'."
        )

    return value
