"""The functions that an app registers by decorators, for Alembic to call."""

from __future__ import annotations

import collections.abc as c
import inspect
import typing as t

from ..errors import ConfigurationError

Hook: t.TypeAlias = c.Callable[..., t.Any]


class Hooks:
    """The functions, by the name of the argument of Alembic's ``configure()`` that they
    stand for.
    """

    def __init__(self) -> None:
        self._hooks: dict[str, list[Hook]] = {}

    def add(self, name: str, fn: Hook) -> None:
        """Add a function.

        :param name: The name of the argument.
        :param fn: The function. Alembic calls it in the middle of its work.
        :raises ConfigurationError: If it is a coroutine function.
        """
        if inspect.iscoroutinefunction(fn):
            raise ConfigurationError(
                f"'{fn.__name__}' is a coroutine function, but Alembic calls"
                f" '{name}' without awaiting it. Write it with 'def'."
            )

        self._hooks.setdefault(name, []).append(fn)

    def added_to(self, options: c.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return arguments for ``configure()`` with the functions.

        :param options: The arguments without them. A function in there is called first.
        """
        combined = {**options}

        for name, added in self._hooks.items():
            hooks = [*_functions(options.get(name)), *added]
            combined[name] = _COMBINE[name](hooks) if len(hooks) > 1 else hooks[0]

        return combined


def _functions(value: t.Any) -> c.Iterator[Hook]:
    """Yield the functions of an argument, which may be a flag instead."""
    if callable(value):
        yield value
    elif isinstance(value, c.Iterable) and not isinstance(value, str):
        yield from value


def _all(hooks: list[Hook]) -> Hook:
    return lambda *args: all(hook(*args) for hook in hooks)


def _each(hooks: list[Hook]) -> Hook:
    def call(*args: t.Any) -> None:
        for hook in hooks:
            hook(*args)

    return call


def _first(undecided: object) -> c.Callable[[list[Hook]], Hook]:
    """Return what combines functions so that the first one that decides counts.

    :param undecided: What a function returns that leaves it to Alembic.
    """

    def combine(hooks: list[Hook]) -> Hook:
        def call(*args: t.Any) -> t.Any:
            results = (hook(*args) for hook in hooks)
            return next((r for r in results if r is not undecided), undecided)

        return call

    return combine


#: How several functions are combined.
_COMBINE: dict[str, c.Callable[[list[Hook]], t.Any]] = {
    "compare_server_default": _first(None),
    "compare_type": _first(None),
    "include_name": _all,
    "include_object": _all,
    # Alembic takes a list.
    "on_version_apply": list,
    "process_revision_directives": _each,
    "render_item": _first(False),
}
