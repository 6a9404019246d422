"""Renamed tables and columns, as operations that are generated.

Alembic generates none, so it has no way to render or to reverse them.
"""

from __future__ import annotations

import typing as t

from alembic.autogenerate import render_op_text
from alembic.autogenerate import renderers
from alembic.operations import ops

from .unknown_tables import full_name

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext

    from .unknown_tables import TableKey


class RenamedTableOp(ops.RenameTableOp):
    """Renames a table.

    :param old: Its schema and name.
    :param new: Its new name.
    """

    def __init__(self, old: TableKey, new: str) -> None:
        super().__init__(old[1], new, schema=old[0])

    def reverse(self) -> RenamedTableOp:
        return RenamedTableOp((self.schema, self.new_table_name), self.table_name)

    def to_diff_tuple(self) -> tuple[str, str, str]:
        old = full_name((self.schema, self.table_name))
        return "rename_table", old, self.new_table_name


class RenamedColumnOp(ops.AlterColumnOp):
    """Renames a column.

    :param table: The schema and the name of its table.
    :param old: Its name.
    :param new: Its new name.
    :param column: What it is in the database. MySQL must be told when it is renamed.
    """

    def __init__(
        self, table: TableKey, old: str, new: str, column: sa.Column[t.Any]
    ) -> None:
        options: dict[str, t.Any] = {}

        # Of a SERIAL, it is a default.
        if column.autoincrement is True and column.server_default is None:
            options["autoincrement"] = True

        super().__init__(
            table[1],
            old,
            schema=table[0],
            modify_name=new,
            existing_type=column.type,
            existing_nullable=column.nullable,
            existing_server_default=column.server_default or False,
            existing_comment=column.comment,
            **options,
        )
        self._column = column

    def reverse(self) -> RenamedColumnOp:
        new = self.modify_name
        assert new is not None
        table = self.schema, self.table_name
        return RenamedColumnOp(table, new, self.column_name, self._column)

    def to_diff_tuple(self) -> t.Any:
        table = full_name((self.schema, self.table_name))
        return "rename_column", f"{table}.{self.column_name}", self.modify_name


Renamed: t.TypeAlias = RenamedTableOp | RenamedColumnOp


def as_argument(operation: Renamed) -> str:
    """Return what ``db revision --rename`` takes for an operation."""
    _, old, new = operation.to_diff_tuple()
    return f"{old}:{new}"


class RenameQuestionOp(ops.MigrateOperation):
    """A comment in a revision which asks whether what it drops was renamed.

    :param operation: What would rename it.
    """

    def __init__(self, operation: Renamed) -> None:
        self.operation = operation


@renderers.dispatch_for(RenamedTableOp)
def _render_table(autogen_context: AutogenContext, op: RenamedTableOp) -> str:
    prefix = autogen_context.opts["alembic_module_prefix"]
    schema = f", schema={op.schema!r}" if op.schema else ""
    return f"{prefix}rename_table({op.table_name!r}, {op.new_table_name!r}{schema})"


@renderers.dispatch_for(RenameQuestionOp)
def _render_question(
    autogen_context: AutogenContext, op: RenameQuestionOp
) -> list[str]:
    _, old, new = op.operation.to_diff_tuple()
    instead = render_op_text(autogen_context, op.operation).splitlines()
    return [
        f"# Was '{old}' renamed to '{new}'? Then its data is lost here. Generate the",
        f"# revision again with '--rename {as_argument(op.operation)}', or write this",
        "# in the place of what drops the one and adds the other:",
        *(f"# {line}" for line in instead),
    ]
