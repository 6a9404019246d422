"""Operations on sequences. On databases that have none, they do nothing, so that one
history runs everywhere::

    op.create_sequence("order_number", start=1000)
    op.drop_sequence("order_number", start=1000)
    op.alter_sequence(
        "orders_id_seq", type_=sa.BigInteger(), existing_type=sa.Integer()
    )
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from alembic.autogenerate import render
from alembic.autogenerate import renderers
from alembic.operations import MigrateOperation
from alembic.operations import Operations
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateSequence
from sqlalchemy.schema import DropSequence
from sqlalchemy.schema import ExecutableDDLElement

from ..dialects import dialect_named

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


@Operations.register_operation("alter_sequence")
class AlterSequenceOp(SequenceOp):
    """Change the type of a sequence.

    :param type_: The type of its values.
    :param existing_type: The type before.
    """

    verb = "alter"

    def __init__(
        self,
        name: str,
        *,
        type_: sa.Integer,
        existing_type: sa.Integer,
        schema: str | None = None,
    ) -> None:
        super().__init__(name, schema=schema, data_type=type_)
        self.type_ = type_
        self.existing_type = existing_type

    @classmethod
    def alter_sequence(
        cls,
        operations: Operations,
        name: str,
        *,
        type_: sa.Integer,
        existing_type: sa.Integer,
        schema: str | None = None,
    ) -> None:
        """Change the type of a sequence, on databases where columns own sequences.

        :param name: Its name.
        :param type_: The type of its values, which limits them.
        :param existing_type: The type before, for the reader.
        :param schema: Its schema; the default one if there is none.
        """
        operations.invoke(
            cls(name, type_=type_, existing_type=existing_type, schema=schema)
        )

    def reverse(self) -> AlterSequenceOp:
        return AlterSequenceOp(
            self.sequence.name,
            type_=self.existing_type,
            existing_type=self.type_,
            schema=self.sequence.schema,
        )


class _AlterSequence(ExecutableDDLElement):
    def __init__(self, op: AlterSequenceOp) -> None:
        self.op = op


@compiles(_AlterSequence)
def _compile(element: _AlterSequence, compiler: t.Any, **kwargs: t.Any) -> str:
    name = compiler.preparer.format_sequence(element.op.sequence)
    return (
        f"ALTER SEQUENCE {name} AS {compiler.type_compiler.process(element.op.type_)}"
    )


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


@Operations.implementation_for(AlterSequenceOp)
def _alter(operations: Operations, op: AlterSequenceOp) -> None:
    impl = operations.migration_context.impl

    if dialect_named(impl.dialect.name).schema_objects.columns_own_sequences:
        impl.execute(_AlterSequence(op))


@renderers.dispatch_for(AlterSequenceOp)
def _render_type(autogen_context: AutogenContext, op: AlterSequenceOp) -> str:
    prefix = autogen_context.opts["alembic_module_prefix"] or ""
    # There's no public way to render a type.
    new, old = (
        render._repr_type(type_, autogen_context)
        for type_ in (op.type_, op.existing_type)
    )
    schema = f", schema={str(op.sequence.schema)!r}" if op.sequence.schema else ""
    return (
        f"{prefix}alter_sequence({str(op.sequence.name)!r}, type_={new},"
        f" existing_type={old}{schema})"
    )


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
