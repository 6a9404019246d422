"""Compares the checks that types have with ``create_constraint=True``: the values of an
``Enum`` that is a text, and a ``Boolean`` that is a number.

Alembic compares no checks. If it changes the type, it adds the check once more.

Registers an Alembic plugin. Before Alembic 1.18, it is left to Alembic.
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.schema import conv

from ..dialects import dialect_of
from ..dialects.column_types import type_on
from . import plugins
from .comparison import comparison_of
from .comparison import is_made
from .plugins import Comparison
from .renames import Renames

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from sqlalchemy.types import TypeEngine

comparison: Comparison = Comparison("type_checks", helps="types")
_string = re.compile(r"'((?:[^']|'')*)'")
_string_with_escapes = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_escape = re.compile(r"''|\\(.)", re.DOTALL)


def have_checks(columns: c.Iterable[sa.Column[t.Any]], dialect: sa.Dialect) -> bool:
    """Return whether the types of some columns have, or may have had, a check."""
    return any(check_of(column, dialect) is not None for column in columns)


def check_of(
    column: sa.Column[t.Any],
    dialect: sa.Dialect,
    values: c.Collection[str] = (),
    names: tuple[str, str] | None = None,
) -> sa.CheckConstraint | None:
    """Return the check that the type of a column has, or would have with
    ``create_constraint=True``; ``None`` if it has none on this database, or no name.

    :param column: The column of a model.
    :param dialect: The dialect of the database.
    :param values: Other values of an enum.
    :param names: Other names of the table and of the column.
    """
    type_ = _with_check(type_on(dialect, column.type), values)

    if type_ is None:
        return None

    convention: t.Any = column.table.metadata.naming_convention
    table_name, name = names or (column.table.name, column.name)
    table = sa.Table(
        table_name,
        sa.MetaData(naming_convention=convention),
        sa.Column(name, type_),
        schema=column.table.schema,
    )
    return next((made for made in _checks(table) if is_made(made, dialect)), None)


def _with_check(
    type_: TypeEngine[t.Any], values: c.Collection[str]
) -> TypeEngine[t.Any] | None:
    match type_:
        case sa.Enum(name=str(name)) if type_.enums:
            return sa.Enum(
                *(values or type_.enums),
                name=name,
                native_enum=type_.native_enum,
                create_constraint=True,
            )
        case sa.Boolean(name=str(name)):
            return sa.Boolean(name=name, create_constraint=True)

    return None


def _without_check(type_: t.Any) -> TypeEngine[t.Any]:
    if isinstance(type_, sa.Boolean):
        return sa.Boolean(name=type_.name)

    return sa.Enum(
        *type_.enums,
        name=type_.name,
        native_enum=type_.native_enum,
        length=None if type_.native_enum else type_.length,
    )


def _compare(
    autogen_context: AutogenContext,
    modify_table_ops: ops.ModifyTableOps,
    schema: str | None,
    table: str,
    inspected: sa.Table | None,
    model: sa.Table | None,
) -> t.Any:
    if inspected is not None and model is not None:
        running = comparison_of(autogen_context.migration_context)
        renames = running.renames if running is not None else Renames()

        for column in model.columns:
            if column.name in inspected.columns:
                names = renames.names_before((schema, table), column.name)
                _compare_column(
                    autogen_context, modify_table_ops, inspected, column, names
                )
            else:
                _make_room(autogen_context, modify_table_ops, inspected, column)

    return plugins.CONTINUE


def _make_room(
    autogen_context: AutogenContext,
    modify_table_ops: ops.ModifyTableOps,
    inspected: sa.Table,
    column: sa.Column[t.Any],
) -> None:
    """Drop a check that has the name of the check of an added column. The column that
    it belongs to is dropped later.
    """
    assert autogen_context.connection is not None
    dialect = autogen_context.connection.dialect
    type_: t.Any = type_on(dialect, column.type)
    check = check_of(column, dialect)

    if check is None or not type_.create_constraint:
        return

    is_added = any(
        isinstance(op, ops.AddColumnOp) and op.column is column
        for op in modify_table_ops.ops
    )

    if is_added and not _is_compared_by_name(modify_table_ops, check):
        for found in _checks(inspected):
            if _has_same_name(found, check, dialect):
                _drop(modify_table_ops, found)


def _compare_column(
    autogen_context: AutogenContext,
    modify_table_ops: ops.ModifyTableOps,
    inspected: sa.Table,
    column: sa.Column[t.Any],
    names: tuple[str, str],
) -> None:
    assert autogen_context.connection is not None
    dialect = autogen_context.connection.dialect
    type_: t.Any = type_on(dialect, column.type)
    check = check_of(column, dialect)

    if check is None or _is_compared_by_name(modify_table_ops, check):
        return

    _leave_to_us(modify_table_ops, column, type_)
    backslashes = dialect_of(autogen_context.connection).defaults.backslashes
    shown = {
        item: _values(item, backslashes)
        for item in _beside_others(inspected, column, check, dialect)
    }
    found = next((c for c in shown if _has_same_name(c, check, dialect)), None)
    wanted = {*getattr(type_, "enums", ())}
    is_renamed = False

    if found is None and (old := check_of(column, dialect, names=names)) is not None:
        found = next((c for c in shown if _has_same_name(c, old, dialect)), None)
        is_renamed = found is not None

    if not type_.create_constraint:
        is_same = found is None
    elif found is not None:
        has_values = not shown[found] or {*shown[found]} == wanted
        is_same = has_values and not is_renamed
    else:
        # A table that was renamed has a check with its old name.
        is_same = any(
            {*values} == wanted and column.name in str(item.sqltext)
            for item, values in shown.items()
        )

    if is_same or not _is_included(autogen_context, check, found):
        return

    if found is not None:
        before = check_of(column, dialect, shown[found])
        assert before is not None
        before.name = found.name
        _drop(modify_table_ops, before)

    if type_.create_constraint:
        modify_table_ops.ops.append(ops.AddConstraintOp.from_constraint(check))


def _drop(modify_table_ops: ops.ModifyTableOps, check: sa.CheckConstraint) -> None:
    # The naming convention has been applied to it.
    check.name = conv(str(check.name))
    modify_table_ops.ops.insert(0, ops.DropConstraintOp.from_constraint(check))


def _is_compared_by_name(
    modify_table_ops: ops.ModifyTableOps, check: sa.CheckConstraint
) -> bool:
    """Return whether Alembic's plugin for checks, if it is used, does what is to do."""
    return any(
        getattr(op, "constraint_name", None) == check.name
        for op in modify_table_ops.ops
    )


def _beside_others(
    inspected: sa.Table,
    column: sa.Column[t.Any],
    check: sa.CheckConstraint,
    dialect: sa.Dialect,
) -> c.Iterator[sa.CheckConstraint]:
    """Yield the checks of the database that are no other ones of the model."""
    others = {_name_of(own, dialect) for own in _checks(column.table)}

    if t.cast("t.Any", type_on(dialect, column.type)).create_constraint:
        others.remove(_name_of(check, dialect))

    for found in _checks(inspected):
        if _name_of(found, dialect) not in others:
            yield found


def _leave_to_us(
    modify_table_ops: ops.ModifyTableOps, column: sa.Column[t.Any], type_: t.Any
) -> None:
    """Let the change of a type not add the check as well."""
    for op in modify_table_ops.ops:
        if isinstance(op, ops.AlterColumnOp) and op.column_name == column.name:
            if op.modify_type is not None and type_.create_constraint:
                op.modify_type = _without_check(type_)


def _checks(table: t.Any) -> c.Iterator[sa.CheckConstraint]:
    for constraint in table.constraints:
        if isinstance(constraint, sa.CheckConstraint):
            yield constraint


def _name_of(check: sa.CheckConstraint, dialect: sa.Dialect) -> str | None:
    """Return the name of a check, quoted if necessary; ``None`` if it has none."""
    if check.name is None:
        return None

    return dialect.identifier_preparer.format_constraint(check)


def _has_same_name(
    one: sa.CheckConstraint, other: sa.CheckConstraint, dialect: sa.Dialect
) -> bool:
    name = _name_of(one, dialect)
    return name is not None and name == _name_of(other, dialect)


def _values(found: sa.CheckConstraint, backslashes: bool) -> list[str]:
    """Return the values that a check allows, as a server shows it."""
    sql = t.cast("sa.TextClause", found.sqltext).text

    if backslashes:
        texts = _string_with_escapes.findall(sql)
        return [_escape.sub(lambda match: match[1] or "'", text) for text in texts]

    return [text.replace("''", "'") for text in _string.findall(sql)]


def _is_included(
    autogen_context: AutogenContext,
    check: sa.CheckConstraint,
    found: sa.CheckConstraint | None,
) -> bool:
    name = t.cast("t.Any", check.name)
    return autogen_context.run_object_filters(
        check, name, "check_constraint", False, found
    )


if plugins.WRITES_CHECKS:
    comparison.add(
        _compare, "table", "type_checks", priority="LAST", needs_plugins=True
    )
