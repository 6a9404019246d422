"""Lets the dialect compare server defaults before Alembic does.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, it replaces the
comparison method (https://alembic.sqlalchemy.org/en/latest/api/plugins.html).
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import fnmatch
import typing as t
import weakref

import sqlalchemy as sa
from alembic import util
from alembic.autogenerate import comparators

from ..dialects import dialect_of
from .default_questions import Questions

if t.TYPE_CHECKING:
    from alembic.operations import ops
    from alembic.runtime.migration import MigrationContext

_PLUGIN = "async_alembic.server_defaults"
#: Alembic's own comparison, and the default of ``autogenerate_plugins``.
_ALEMBIC_COMPARISON = "alembic.autogenerate.defaults"
_ALEMBIC_DEFAULT = ["alembic.autogenerate.*"]

#: The queries of the comparisons that are running.
_questions: weakref.WeakKeyDictionary[MigrationContext, Questions] = (
    weakref.WeakKeyDictionary()
)


def with_plugin(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Add the plugin to the arguments for ``EnvironmentContext.configure()``, unless
    they exclude the comparison of server defaults.
    """
    listed: list[str] = [*(options.get("autogenerate_plugins") or _ALEMBIC_DEFAULT)]
    included = any(fnmatch.fnmatch(_ALEMBIC_COMPARISON, name) for name in listed)
    excluded = any(fnmatch.fnmatch(f"~{_ALEMBIC_COMPARISON}", name) for name in listed)

    if not _has_plugins or not included or excluded:
        return options

    return {**options, "autogenerate_plugins": [*listed, _PLUGIN]}


def install(context: MigrationContext) -> None:
    """Replace the comparison method in versions of Alembic without plugins."""
    if _has_plugins:
        return

    impl: t.Any = context.impl
    compare = impl.compare_server_default

    def compare_server_default(
        inspected: sa.Column[t.Any],
        column: sa.Column[t.Any],
        new: str | None,
        found: str | None,
    ) -> bool:
        is_changed = None

        if new is not None and found is not None:
            is_changed = _is_changed(context, inspected, column, new, found)

        if is_changed is None:
            return bool(compare(inspected, column, new, found))

        return is_changed

    impl.compare_server_default = compare_server_default


@contextlib.contextmanager
def asking_at_once(context: MigrationContext) -> c.Iterator[None]:
    """Let comparisons send one query for all server defaults."""
    assert context.connection is not None

    if dialect_of(context.connection).defaults.server_compares:
        _questions[context] = Questions()

    try:
        yield
    finally:
        _questions.pop(context, None)


def _compare(
    autogen_context: t.Any,
    alter_column_op: t.Any,
    schema: str | None,
    table: str,
    column_name: str,
    inspected: sa.Column[t.Any],
    column: sa.Column[t.Any],
) -> util.PriorityDispatchResult:
    new, found = column.server_default, inspected.server_default

    # Computed columns and identities are not server defaults.
    if not isinstance(new, sa.DefaultClause) or not isinstance(found, sa.DefaultClause):
        return util.PriorityDispatchResult.CONTINUE

    is_changed = _is_changed(
        autogen_context.migration_context,
        inspected,
        column,
        _render(new, autogen_context.dialect),
        t.cast("sa.TextClause", found.arg).text,
    )

    if is_changed is None:
        return util.PriorityDispatchResult.CONTINUE

    if is_changed:
        alter_column_op.modify_server_default = new

    return util.PriorityDispatchResult.STOP


def _is_changed(
    context: MigrationContext,
    inspected: sa.Column[t.Any],
    column: sa.Column[t.Any],
    new: str,
    found: str,
) -> bool | None:
    assert context.connection is not None
    defaults = dialect_of(context.connection).defaults
    is_changed = defaults.is_changed(inspected, column, new, found)

    if is_changed is None and (questions := _questions.get(context)):
        is_changed = questions.is_changed(context.impl, inspected, column, new, found)

    return is_changed


def _settle(
    autogen_context: t.Any, upgrade_ops: ops.UpgradeOps, schemas: object
) -> t.Any:
    if questions := _questions.get(autogen_context.migration_context):
        questions.settle(autogen_context.connection, upgrade_ops)


def _render(default: sa.DefaultClause, dialect: sa.Dialect) -> str:
    """Render the default of a model as SQL, as Alembic's comparison does."""
    if isinstance(default.arg, str):
        return default.arg

    options = {"literal_binds": True}
    return str(default.arg.compile(dialect=dialect, compile_kwargs=options))


try:
    from alembic.runtime.plugins import Plugin
except ImportError:
    _has_plugins = False
    comparators.dispatch_for("schema")(_settle)
else:
    _has_plugins = True
    _plugin = Plugin(_PLUGIN)
    _plugin.add_autogenerate_comparator(_compare, "column", "server_default")
    _plugin.add_autogenerate_comparator(
        _settle, "schema", priority=util.DispatchPriority.LAST
    )
