"""Decorators for the functions that Alembic calls."""

from __future__ import annotations

import collections.abc as c
import typing as t

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import MigrationScript
    from alembic.runtime.migration import MigrationContext

    from ..apps.registry import Registry

    #: What decides, or returns ``None`` to leave it to Alembic.
    Comparer = t.TypeVar("Comparer", bound=c.Callable[..., bool | str | None])
    Directives = t.TypeVar(
        "Directives",
        bound=c.Callable[[MigrationContext, t.Any, list[MigrationScript]], None],
    )
    Hook = t.TypeVar("Hook", bound=c.Callable[..., t.Any])
    Filter = t.TypeVar("Filter", bound=c.Callable[..., bool])
    Listener = t.TypeVar("Listener", bound=c.Callable[..., None])
    Renderer = t.TypeVar(
        "Renderer",
        bound=c.Callable[[str, t.Any, AutogenContext], str | t.Literal[False]],
    )


class HookDecorators:
    """Decorators for functions that are arguments of Alembic's
    :meth:`~alembic.runtime.environment.EnvironmentContext.configure`. They hold for all
    apps of this extension, beside those in ``ALEMBIC_CONTEXT``, which are called first.

    Each of them can be used several times. They raise :exc:`.ConfigurationError` for a
    coroutine function, as Alembic does not await it.
    """

    _registry: Registry

    def compare_server_default(self, fn: Comparer) -> Comparer:
        """Register a function that compares server defaults.

        :param fn: Takes the context, the column of the database, that of the model,
            both defaults, and the rendered one of the model. Returns whether they
            differ, or ``None`` to leave it to the next function, then to Alembic.
        """
        return self._add_hook("compare_server_default", fn)

    def compare_type(self, fn: Comparer) -> Comparer:
        """Register a function that compares the types of columns.

        :param fn: Takes the context, the column of the database, that of the model, and
            both types. Returns whether they differ, or ``None`` to leave it to the next
            function, then to Alembic.
        """
        return self._add_hook("compare_type", fn)

    def include_name(self, fn: Filter) -> Filter:
        """Register a function that decides by its name whether something in the
        database is read.

        :param fn: Takes the name, the type, as ``"table"``, and a dict of the names
            that it is below. With several functions, all must return ``True``.
        """
        return self._add_hook("include_name", fn)

    def include_object(self, fn: Filter) -> Filter:
        """Register a function that decides whether something is compared.

        :param fn: Takes the object, its name, its type, as ``"table"``, whether it is
            that of the database, and the object that it is compared to, or ``None``.
            With several functions, all must return ``True``.
        """
        return self._add_hook("include_object", fn)

    def on_version_apply(self, fn: Listener) -> Listener:
        """Register a function that is called in the transaction of each revision.

        :param fn: Takes ``ctx``, ``step``, ``heads`` and ``run_args`` by name, and
            ``**kwargs``.
        """
        return self._add_hook("on_version_apply", fn)

    def process_revision_directives(self, fn: Directives) -> Directives:
        """Register a function that changes new revisions before they are written.

        :param fn: Takes the context, the parent revisions, and a list of scripts, which
            it may change.
        """
        return self._add_hook("process_revision_directives", fn)

    def render_item(self, fn: Renderer) -> Renderer:
        """Register a function that writes the code for something in a revision.

        :param fn: Takes the type, as ``"type"`` or ``"server_default"``, the object,
            and an :class:`~alembic.autogenerate.api.AutogenContext`, to whose
            ``imports`` it can add. Returns the code, or ``False`` to leave it to the
            next function, then to Alembic.
        """
        return self._add_hook("render_item", fn)

    def _add_hook(self, name: str, fn: Hook) -> Hook:
        self._registry.arguments.hooks.add(name, fn)
        return fn
