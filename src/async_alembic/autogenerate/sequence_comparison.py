"""Creates the sequences that new columns take their values from, drops those whose last
column goes, and changes the type of those that a column owns as it changes its own.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, it is one more
comparison of schemas.
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.sql import visitors
from sqlalchemy.sql.functions import next_value
from sqlalchemy.types import to_instance

from ..dialects import dialect_of
from ..dialects.column_types import type_on
from ..dialects.translated_schemas import schemas_of
from .changed_columns import altered_columns
from .changed_columns import key_of
from .changed_columns import new_columns
from .changed_columns import removed_columns
from .plugins import Comparison
from .sequence_operations import AlterSequenceOp
from .sequence_operations import CreateSequenceOp
from .sequence_operations import DropSequenceOp

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

    SequenceKey: t.TypeAlias = tuple[str | None, str]

comparison: Comparison = Comparison("sequences", helps="tables")


def _compare(
    autogen_context: AutogenContext, upgrade_ops: ops.UpgradeOps, *args: object
) -> t.Any:
    connection = autogen_context.connection
    assert connection is not None

    if not connection.dialect.supports_sequences:
        return

    defaults = [op.modify_server_default for op in altered_columns(upgrade_ops)]
    defaults += _defaults_of(new_columns(upgrade_ops))
    needed = _by_key(connection, defaults)
    removed = {*removed_columns(upgrade_ops)} | {
        key_of(op)
        for op in altered_columns(upgrade_ops)
        if op.modify_server_default is not False
    }
    create = [
        CreateSequenceOp.from_sequence(sequence)
        for (schema, name), sequence in sorted(needed.items(), key=str)
        if name not in autogen_context.inspector.get_sequence_names(schema)
    ]
    upgrade_ops.ops[:0] = create
    upgrade_ops.ops += _retyped(connection, upgrade_ops)

    if removed:
        tables = autogen_context.sorted_tables
        columns = (column for table in tables for column in table.columns)
        defaults = [*_defaults_of(columns)]
        wanted = _by_key(connection, defaults)
        texts = [
            default.arg.text
            for default in defaults
            if isinstance(getattr(default, "arg", None), sa.TextClause)
        ]
        found = dialect_of(connection).schema_objects.sequences(connection)
        upgrade_ops.ops += [
            DropSequenceOp.from_sequence(sequence)
            for sequence, users in found
            if users <= removed
            and (sequence.schema, sequence.name) not in wanted
            and not any(_names(text, sequence) for text in texts)
        ]


def _retyped(
    connection: sa.Connection, upgrade_ops: ops.UpgradeOps
) -> c.Iterator[AlterSequenceOp]:
    """Yield what makes the sequences of columns as large as their new types."""
    retyped = {
        key_of(op): new
        for op in altered_columns(upgrade_ops)
        if op.modify_type is not None and op.modify_server_default is False
        if (new := _size(type_on(connection.dialect, to_instance(op.modify_type))))
    }

    if not retyped:
        return

    owned = dialect_of(connection).schema_objects.owned_sequences(connection)

    for column, new in retyped.items():
        sequence = owned.get(column)
        old = _size(sequence.data_type) if sequence is not None else None

        if sequence is not None and old is not None and old is not new:
            yield AlterSequenceOp(
                sequence.name, type_=new(), existing_type=old(), schema=sequence.schema
            )


def _size(type_: object) -> type[sa.Integer] | None:
    sizes = sa.BigInteger, sa.SmallInteger, sa.Integer
    return next((size for size in sizes if isinstance(type_, size)), None)


def _defaults_of(columns: c.Iterable[sa.Column[t.Any]]) -> c.Iterator[t.Any]:
    for column in columns:
        yield column.default
        yield column.server_default


def _by_key(
    connection: sa.Connection, defaults: c.Iterable[t.Any]
) -> dict[SequenceKey, sa.Sequence]:
    schemas = schemas_of(connection)
    default_schema = connection.dialect.default_schema_name
    found: dict[SequenceKey, sa.Sequence] = {}

    for sequence in (s for default in defaults for s in _sequences_in(default)):
        schema = schemas.get(sequence.schema, sequence.schema)
        key = None if schema == default_schema else schema, sequence.name

        if not (sequence.optional and connection.dialect.sequences_optional):
            found[key] = sequence

    return found


def _names(text: str, sequence: sa.Sequence) -> bool:
    """Return whether the SQL of a default may name a sequence."""
    return bool(re.search(rf"\b{re.escape(sequence.name)}\b", text, re.I))


def _sequences_in(default: t.Any) -> c.Iterator[sa.Sequence]:
    """Yield the sequences that a default takes values from."""
    if isinstance(default, sa.Sequence):
        yield default

    expression = getattr(default, "arg", default)

    if isinstance(expression, sa.ClauseElement):
        for element in visitors.iterate(expression):
            if isinstance(element, next_value):
                yield element.sequence


comparison.add(_compare, "schema", priority="LAST")
