"""Tells whether a table plainly has the same constraints and indexes in models and
database: the same columns, and no options but the usual ones.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    Info: t.TypeAlias = c.Mapping[str, t.Any]
    Columns: t.TypeAlias = tuple[str, ...]


def has_same_constraints(
    table: sa.Table, infos: c.Mapping[str, t.Any], default_schema: str | None
) -> bool:
    """Return whether what Alembic compares of them is the same, and simple.

    :param table: The table of the model.
    :param infos: What was read of the table, by kind.
    :param default_schema: The name of the default schema.
    """
    indexes = [i for i in infos["indexes"] or () if "duplicates_constraint" not in i]
    uniques = infos["unique_constraints"] or ()
    return (
        all(map(_is_simple, indexes))
        and all(map(_is_simple, uniques))
        and _has_same_indexes(table, indexes)
        and _has_same_uniques(table, uniques)
        and {e.name for e in exclusions_of(table)} == {*(infos["exclusions"] or ())}
        and _has_same_foreign_keys(table, infos["foreign_keys"] or (), default_schema)
    )


def exclusions_of(table: sa.Table) -> list[sa.Constraint]:
    """Return the exclusion constraints of the table of a model."""
    return [c for c in table.constraints if c.__visit_name__ == "exclude_constraint"]


def _is_simple(info: Info) -> bool:
    others = ("expressions", "column_sorting", "include_columns", "duplicates_index")
    options = info.get("dialect_options", {})
    return not any(map(info.get, others)) and not any(options.values())


def _has_same_indexes(table: sa.Table, infos: c.Sequence[Info]) -> bool:
    found = {(i["name"], bool(i["unique"]), *i["column_names"]) for i in infos}
    wanted = {
        (index.name, bool(index.unique), *(column.name for column in index.columns))
        for index in table.indexes
        if not index.dialect_kwargs
        and all(isinstance(e, sa.Column) for e in index.expressions)
    }
    return found == wanted and len(wanted) == len(table.indexes)


def _has_same_uniques(table: sa.Table, infos: c.Sequence[Info]) -> bool:
    uniques = [k for k in table.constraints if isinstance(k, sa.UniqueConstraint)]
    found: dict[Columns, str] = {
        tuple(sorted(info["column_names"])): info["name"] for info in infos
    }
    wanted: dict[Columns, t.Any] = {
        tuple(sorted(column.name for column in unique.columns)): unique.name
        for unique in uniques
        if not unique.dialect_kwargs and not unique.deferrable and not unique.initially
    }
    return (
        len(infos) == len(found) == len(wanted) == len(uniques)
        and found.keys() == wanted.keys()
        and all(name in (None, found[key]) for key, name in wanted.items())
    )


def _has_same_foreign_keys(
    table: sa.Table, infos: c.Sequence[Info], default_schema: str | None
) -> bool:
    found = {
        (
            tuple(info["constrained_columns"]),
            (info["referred_schema"], info["referred_table"]),
            tuple(info["referred_columns"]),
            _options(**info.get("options", {})),
        )
        for info in infos
    }
    wanted = {
        foreign_key_signature(key, default_schema)
        for key in table.foreign_key_constraints
    }
    return found == wanted


def foreign_key_signature(
    key: sa.ForeignKeyConstraint, default_schema: str | None
) -> tuple[t.Any, ...]:
    """Return what Alembic compares of a foreign key. The default schema is ``None``,
    as databases show it.

    :param key: The foreign key.
    :param default_schema: The name of the default schema.
    """
    referent = key.referred_table
    schema = None if referent.schema == default_schema else referent.schema
    return (
        tuple(column.name for column in key.columns),
        (schema, referent.name),
        tuple(element.column.name for element in key.elements),
        _options(key.onupdate, key.ondelete, key.deferrable, key.initially),
    )


def _options(
    onupdate: str | None = None,
    ondelete: str | None = None,
    deferrable: bool | None = None,
    initially: str | None = None,
    **others: object,
) -> tuple[t.Any, ...]:
    """Normalize the options of a foreign key, as Alembic does."""
    actions = [(action or "no action").lower() for action in (onupdate, ondelete)]
    is_deferred = bool(initially) and str(initially).lower() == "deferred"
    return (*actions, "deferred" if is_deferred else bool(deferrable))
