"""Operations on sequences. On databases that have none, they do nothing, so that one
history runs everywhere::

    op.create_sequence("order_number", start=1000)
    op.drop_sequence("order_number", start=1000)
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.operations import MigrateOperation
from alembic.operations import Operations
from sqlalchemy.schema import CreateSequence
from sqlalchemy.schema import DropSequence

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

#: What ``sa.Sequence`` takes.
_OPTIONS = "start", "increment", "minvalue", "maxvalue", "cycle", "cache"


class SequenceOp(MigrateOperation):
    """An operation on a sequence.

    :param name: Its name.
    :param schema: Its schema; the default one if there is none.
    :param options: Other arguments of ``sa.Sequence``.
    """

    verb: t.ClassVar[str]

    def __init__(self, name: str, *, schema: str | None = None, **options: t.Any):
        self.sequence: sa.Sequence = sa.Sequence(name, schema=schema, **options)

    @classmethod
    def from_sequence(cls, sequence: sa.Sequence) -> t.Self:
        options = {name: getattr(sequence, name) for name in _OPTIONS}
        return cls(sequence.name, schema=sequence.schema, **options)

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        return f"{self.verb}_sequence", self.sequence


@Operations.register_operation("create_sequence")
class CreateSequenceOp(SequenceOp):
    """Create a sequence."""

    verb = "create"

    @classmethod
    def create_sequence(
        cls,
        operations: Operations,
        name: str,
        *,
        schema: str | None = None,
        **options: t.Any,
    ) -> None:
        """Create a sequence, on databases that have them.

        :param name: Its name.
        :param schema: Its schema; the default one if there is none.
        :param options: Other arguments of ``sa.Sequence``, as ``start``.
        """
        operations.invoke(cls(name, schema=schema, **options))

    def reverse(self) -> DropSequenceOp:
        return DropSequenceOp.from_sequence(self.sequence)


@Operations.register_operation("drop_sequence")
class DropSequenceOp(SequenceOp):
    """Drop a sequence."""

    verb = "drop"

    @classmethod
    def drop_sequence(
        cls,
        operations: Operations,
        name: str,
        *,
        schema: str | None = None,
        **options: t.Any,
    ) -> None:
        """Drop a sequence, on databases that have them.

        :param name: Its name.
        :param schema: Its schema; the default one if there is none.
        :param options: Other arguments of ``sa.Sequence``, for the reader.
        """
        operations.invoke(cls(name, schema=schema, **options))

    def reverse(self) -> CreateSequenceOp:
        return CreateSequenceOp.from_sequence(self.sequence)


@Operations.implementation_for(CreateSequenceOp)
def _create(operations: Operations, op: CreateSequenceOp) -> None:
    impl = operations.migration_context.impl

    if impl.dialect.supports_sequences:
        impl.execute(CreateSequence(op.sequence))


@Operations.implementation_for(DropSequenceOp)
def _drop(operations: Operations, op: DropSequenceOp) -> None:
    impl = operations.migration_context.impl

    if impl.dialect.supports_sequences:
        impl.execute(DropSequence(op.sequence))


@renderers.dispatch_for(CreateSequenceOp)
@renderers.dispatch_for(DropSequenceOp)
def _render(autogen_context: AutogenContext, op: SequenceOp) -> str:
    prefix = autogen_context.opts["alembic_module_prefix"] or ""
    sequence = op.sequence
    options = {name: getattr(sequence, name) for name in _OPTIONS}
    arguments = [
        repr(str(sequence.name)),
        *(f"{name}={value!r}" for name, value in options.items() if value is not None),
        *([f"schema={str(sequence.schema)!r}"] if sequence.schema else []),
    ]
    return f"{prefix}{op.verb}_sequence({', '.join(arguments)})"
