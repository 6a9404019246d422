"""Operations on enums that are types of their own. On databases that have none, they do
nothing, so that one history runs everywhere::

    op.create_enum("color", ["red", "green"])
    op.alter_enum("color", ["red", "green", "blue"], was=["red", "green"])
    op.drop_enum("color", ["red", "green", "blue"])
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from alembic.autogenerate import renderers
from alembic.operations import MigrateOperation
from alembic.operations import Operations

from ..dialects import dialect_named
from ..dialects.translated_schemas import schemas_of

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext
    from alembic.ddl.impl import DefaultImpl

    from ..dialects.enums import Enums

    Values: t.TypeAlias = c.Sequence[str]


class EnumOp(MigrateOperation):
    """An operation on the type of an enum.

    :param name: The name of the type.
    :param values: Its values, in order.
    :param schema: Its schema; the default one if there is none.
    """

    def __init__(self, name: str, values: Values, *, schema: str | None = None) -> None:
        self.name = name
        self.values: tuple[str, ...] = (*values,)
        self.schema = schema

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        return _OPERATIONS[type(self)], self.full_name, [*self.values]


@Operations.register_operation("create_enum")
class CreateEnumOp(EnumOp):
    """Create the type of an enum."""

    @classmethod
    def create_enum(
        cls,
        operations: Operations,
        name: str,
        values: Values,
        *,
        schema: str | None = None,
    ) -> None:
        """Create the type of an enum, on databases that have such types.

        :param name: The name of the type.
        :param values: Its values, in order.
        :param schema: Its schema; the default one if there is none.
        """
        operations.invoke(cls(name, values, schema=schema))

    def reverse(self) -> DropEnumOp:
        return DropEnumOp(self.name, self.values, schema=self.schema)


@Operations.register_operation("drop_enum")
class DropEnumOp(EnumOp):
    """Drop the type of an enum."""

    @classmethod
    def drop_enum(
        cls,
        operations: Operations,
        name: str,
        values: Values = (),
        *,
        schema: str | None = None,
    ) -> None:
        """Drop the type of an enum, on databases that have such types.

        :param name: The name of the type.
        :param values: Its values, for the reader.
        :param schema: Its schema; the default one if there is none.
        """
        operations.invoke(cls(name, values, schema=schema))

    def reverse(self) -> CreateEnumOp:
        return CreateEnumOp(self.name, self.values, schema=self.schema)


@Operations.register_operation("alter_enum")
class AlterEnumOp(EnumOp):
    """Change the values of an enum.

    :param was: The values before, in order.
    :param renamed: The new names of values, by the old ones.
    """

    def __init__(
        self,
        name: str,
        values: Values,
        *,
        was: Values,
        renamed: c.Mapping[str, str] | None = None,
        schema: str | None = None,
    ) -> None:
        super().__init__(name, values, schema=schema)
        self.was: tuple[str, ...] = (*was,)
        self.renamed: dict[str, str] = dict(renamed or {})

    @classmethod
    def alter_enum(
        cls,
        operations: Operations,
        name: str,
        values: Values,
        *,
        was: Values,
        renamed: c.Mapping[str, str] | None = None,
        schema: str | None = None,
    ) -> None:
        """Change the values of an enum, on databases where it is a type.

        Values are added in a transaction of their own, as PostgreSQL lets nothing use
        them before. To remove or move some, a new type takes the place of the old one.
        Rows keep their values; if one has a value that is removed, the server refuses.

        :param name: The name of the type.
        :param values: Its new values, in order.
        :param was: The values before, in order.
        :param renamed: The new names of values, by the old ones.
        :param schema: Its schema; the default one if there is none.
        """
        operations.invoke(cls(name, values, was=was, renamed=renamed, schema=schema))

    @property
    def only_removes(self) -> bool:
        """Whether values go, and none comes."""
        return {*self.values} < {*self.was}

    def reverse(self) -> AlterEnumOp:
        return AlterEnumOp(
            self.name,
            self.was,
            was=self.values,
            renamed={new: old for old, new in self.renamed.items()},
            schema=self.schema,
        )


_OPERATIONS: dict[type[EnumOp], str] = {
    CreateEnumOp: "create_enum",
    DropEnumOp: "drop_enum",
    AlterEnumOp: "alter_enum",
}


@Operations.implementation_for(CreateEnumOp)
def _create(operations: Operations, op: CreateEnumOp) -> None:
    if enums := _enums_of(operations):
        enums.create(_impl(operations), enums.made(op.values, op.name, op.schema))


@Operations.implementation_for(DropEnumOp)
def _drop(operations: Operations, op: DropEnumOp) -> None:
    if enums := _enums_of(operations):
        enums.drop(_impl(operations), enums.made(op.values, op.name, op.schema))


@Operations.implementation_for(AlterEnumOp)
def _alter(operations: Operations, op: AlterEnumOp) -> None:
    if enums := _enums_of(operations):
        # SQLAlchemy translates no schemas in texts.
        schema = _translated(operations, op.schema)
        _change(operations, enums, op, enums.made(op.values, op.name, schema))


def _change(
    operations: Operations, enums: Enums, op: AlterEnumOp, enum: sa.Enum
) -> None:
    impl, dialect = _impl(operations), operations.impl.dialect

    for old, new in op.renamed.items():
        impl.execute(enums.rename_value(enum, dialect, old, new))

    kept = [op.renamed.get(value, value) for value in op.was]

    if [value for value in op.values if value in kept] != kept:
        impl.execute(enums.replace(enum, dialect))
        return

    added = [*_places(kept, op.values)]

    if added:
        with operations.migration_context.autocommit_block():
            for place in added:
                impl.execute(enums.add_value(enum, dialect, *place))


def _places(kept: Values, values: Values) -> c.Iterator[tuple[str, str, str]]:
    """Yield each new value, and its place beside another one."""
    for number, value in enumerate(values):
        if value in kept:
            continue

        if number:
            yield value, "AFTER", values[number - 1]
        else:
            yield value, "BEFORE", kept[0]


def _impl(operations: Operations) -> DefaultImpl:
    """Return Alembic's implementation for the database; in a batch, that of it."""
    return operations.migration_context.impl


def _enums_of(operations: Operations) -> Enums | None:
    return dialect_named(operations.impl.dialect.name).schema_objects.enums


def _translated(operations: Operations, schema: str | None) -> str | None:
    if operations.migration_context.as_sql:
        return schema

    return schemas_of(operations.get_bind()).get(schema, schema)


@renderers.dispatch_for(CreateEnumOp)
@renderers.dispatch_for(DropEnumOp)
def _render(autogen_context: AutogenContext, op: EnumOp) -> str:
    return _rendered(autogen_context, op, "")


@renderers.dispatch_for(AlterEnumOp)
def _render_change(autogen_context: AutogenContext, op: AlterEnumOp) -> list[str]:
    renamed = f", renamed={op.renamed!r}" if op.renamed else ""
    text = _rendered(autogen_context, op, f", was={[*op.was]!r}{renamed}")
    return [*_hint(op), text]


def _hint(op: AlterEnumOp) -> c.Iterator[str]:
    """Say how to rename a value, where one has come in the place of another."""
    pairs = zip(op.was, op.values, strict=False)
    renamed = {old: new for old, new in pairs if old != new}
    removed, added = {*op.was} - {*op.values}, {*op.values} - {*op.was}

    if renamed and (removed, added) == ({*renamed}, {*renamed.values()}):
        yield f"# If values are renamed, add: renamed={renamed!r}"


def _rendered(autogen_context: AutogenContext, op: EnumOp, more: str) -> str:
    prefix = autogen_context.opts["alembic_module_prefix"] or ""
    schema = f", schema={op.schema!r}" if op.schema else ""
    name = _OPERATIONS[type(op)]
    return f"{prefix}{name}({op.name!r}, {[*op.values]!r}{more}{schema})"
