"""Finds tables that are plainly the same in models and database.

To compare a table, Alembic makes objects of all its columns and constraints, which
takes longer than reading them. So a table is left out of its comparison if all that
Alembic would compare is the same in what was read. Whatever is not simple counts as a
difference, and is left to Alembic.
"""

from __future__ import annotations

import dataclasses
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import CompileError

from .default_comparison import render
from .type_checks import have_checks
from .unchanged_constraints import has_same_constraints

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

    from .bulk_reading import Infos
    from .default_questions import Key
    from .default_questions import Questions
    from .unknown_tables import TableKey

    Info: t.TypeAlias = dict[str, t.Any]

#: What is compared here, by Alembic's names for it.
_COMPARED = {
    "table": {"indexes", "foreignkeys", "comments", "type_checks", "exclusions"},
    "column": {"nullable", "comments", "types", "server_default"},
}
_OWN_AND_ALEMBICS = ("alembic.autogenerate.compare.", f"{__package__}.")
#: What an app's filter may leave out.
_FILTERED: dict[str, t.Any] = {
    "columns": "column",
    "indexes": "index",
    "unique_constraints": "unique_constraint",
    "foreign_keys": "foreign_key_constraint",
}


def can_find(autogen_context: AutogenContext) -> bool:
    """Return whether nothing but Alembic itself takes part in the comparison."""
    connection, options = autogen_context.connection, autogen_context.opts
    assert connection is not None
    # Listeners of all tables.
    probe = sa.Table("probe", sa.MetaData())
    # There is no public way to list the functions that compare, which may be anyone's.
    registry = autogen_context.comparators._registry
    return (
        all(
            element in _COMPARED[target]
            and function.__module__.startswith(_OWN_AND_ALEMBICS)
            for (target, *_), functions in registry.items()
            if target in _COMPARED
            for function, element in functions
        )
        and type(autogen_context.migration_context.impl).__module__.startswith(
            "alembic.ddl."
        )
        and not callable(options.get("compare_type"))
        and not callable(options.get("compare_server_default"))
        and not probe.dispatch.column_reflect
        and not probe.metadata.dispatch.column_reflect
        and not connection.get_execution_options().get("schema_translate_map")
    )


def find(
    autogen_context: AutogenContext, infos: dict[str, Infos], questions: Questions
) -> set[TableKey]:
    """Return the tables that are plainly the same.

    :param autogen_context: Alembic's context of the comparison.
    :param infos: What was read of the tables of the database.
    :param questions: What is asked about server defaults.
    """
    assert autogen_context.connection is not None
    default_schema = autogen_context.connection.dialect.default_schema_name
    comparer = _Comparer(autogen_context, infos, questions)
    candidates = {}

    for table in autogen_context.sorted_tables:
        schema = None if table.schema == default_schema else table.schema
        keys = comparer.keys_of(table, (schema, table.name))

        if keys is not None:
            candidates[schema, table.name] = keys

    answers = questions.answers(autogen_context.connection)
    return {
        table for table, keys in candidates.items() if all(answers[k] for k in keys)
    }


@dataclasses.dataclass(frozen=True)
class _Comparer:
    autogen_context: AutogenContext
    infos: dict[str, Infos]
    questions: Questions

    @property
    def _default_schema(self) -> str | None:
        assert self.autogen_context.connection is not None
        return self.autogen_context.connection.dialect.default_schema_name

    def keys_of(self, table: sa.Table, key: TableKey) -> list[Key] | None:
        """Return the keys of the answers that decide whether a table is unchanged;
        ``None`` if it is not plainly the same.
        """
        infos = {kind: infos.get(key) for kind, infos in self.infos.items()}
        columns = {column.name: column for column in table.columns}
        keys: list[Key] = []

        if (
            infos["columns"] is None
            or len(infos["columns"]) != len(columns)
            or not _has_same_comment(table, infos["table_comment"])
            or not has_same_constraints(table, infos, self._default_schema)
            or not self._includes_all(key, infos)
            or have_checks(table.columns, self.autogen_context.dialect)
        ):
            return None

        for info in infos["columns"]:
            column = columns.get(info["name"])

            if column is None or not self._is_same(column, info, keys):
                return None

        return keys

    def _includes_all(self, key: TableKey, infos: dict[str, t.Any]) -> bool:
        schema, table = key
        return all(
            self.autogen_context.run_name_filters(
                info["name"], type_, {"schema_name": schema, "table_name": table}
            )
            for kind, type_ in _FILTERED.items()
            for info in infos[kind] or ()
        )

    def _is_same(self, column: sa.Column[t.Any], info: Info, keys: list[Key]) -> bool:
        return (
            info["nullable"] is column.nullable
            and "computed" not in info
            and "identity" not in info
            and _has_same_comment(column, {"text": info.get("comment")})
            and self._has_same_type(column, info)
            and self._has_same_default(column, info, keys)
        )

    def _has_same_type(self, column: sa.Column[t.Any], info: Info) -> bool:
        if self.autogen_context.opts.get("compare_type") is False:
            return True

        dialect = self.autogen_context.dialect

        try:
            return bool(info["type"].compile(dialect) == column.type.compile(dialect))
        except CompileError:
            return False

    def _has_same_default(
        self, column: sa.Column[t.Any], info: Info, keys: list[Key]
    ) -> bool:
        default, found = column.server_default, self._found_default(column, info)

        if default is None or found is None:
            return default is None and found is None

        if not isinstance(default, sa.DefaultClause) or not isinstance(found, str):
            return False

        if self.autogen_context.opts.get("compare_server_default") is False:
            return True

        new = render(default, self.autogen_context.dialect)
        inspected = sa.column(info["name"], info["type"])
        key = self.questions.compare(inspected, column, new, found)

        if isinstance(key, bool):
            return not key

        keys.append(key)
        return True

    def _found_default(self, column: sa.Column[t.Any], info: Info) -> t.Any:
        """The default of the database, as Alembic sees it."""
        if info.get("default") is None:
            return None

        info = {**info}
        impl: t.Any = self.autogen_context.migration_context.impl
        inspector = self.autogen_context.inspector
        impl.autogen_column_reflect(inspector, column.table, info)
        return info.get("default")


def _has_same_comment(item: sa.Table | sa.Column[t.Any], info: Info | None) -> bool:
    return (item.comment or None) == ((info or {}).get("text") or None)
