"""Which columns have a type that a revision cannot have."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

from alembic import autogenerate
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy.types import to_instance

from ..errors import RevisionError
from .type_rendering import is_same_type
from .type_rendering import UnrenderableTypeError

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext

    #: The name of a column, with its table, and its type.
    Typed: t.TypeAlias = tuple[str, sa.types.TypeEngine[t.Any]]


@contextlib.contextmanager
def refusing_types(
    scripts: c.Sequence[ops.MigrationScript], context: MigrationContext
) -> c.Iterator[None]:
    """Say which column has a type that can't be rendered.

    :param scripts: What is rendered.
    :param context: The migration context of a database.
    """
    containers: list[ops.OpContainer] = [
        container
        for script in scripts
        for container in (*script.upgrade_ops_list, *script.downgrade_ops_list)
    ]

    try:
        if len(scripts) > 1:
            # Alembic writes the first before it renders the second.
            _render(containers, context)

        yield
    except UnrenderableTypeError as exc:
        columns = (
            f" of column '{name}'"
            for container in containers
            for name, type_ in _columns(container)
            if is_same_type(type_, exc.type)
        )
        raise RevisionError(
            # An operation of a plugin may have columns, too.
            f"The type {type(exc.type).__name__}{next(columns, '')} cannot be written"
            f" into a revision: {exc.reason}. No revision was written. Let"
            " 'render_item' in app.config['ALEMBIC_CONTEXT'] return what to write for"
            f' it, such as "{exc.instead}".'
        ) from exc


def _render(containers: c.Iterable[ops.OpContainer], context: MigrationContext) -> None:
    autogen_context = AutogenContext(context)

    for container in containers:
        for operation in container.ops:
            autogenerate.render_op_text(autogen_context, operation)


def _columns(container: ops.OpContainer) -> c.Iterator[Typed]:
    for operation in container.ops:
        match operation:
            case ops.OpContainer():
                yield from _columns(operation)
            case ops.CreateTableOp():
                for item in operation.to_table().columns:
                    yield f"{operation.table_name}.{item.name}", item.type
            case ops.AddColumnOp():
                column = operation.column
                yield f"{operation.table_name}.{column.name}", column.type
            case ops.AlterColumnOp():
                name = f"{operation.table_name}.{operation.column_name}"

                for type_ in operation.modify_type, operation.existing_type:
                    if type_ is not None:
                        yield name, to_instance(type_)
