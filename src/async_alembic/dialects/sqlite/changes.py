"""What a batch changes, as Alembic has collected it."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

import sqlalchemy as sa

from ...errors import BatchError
from .tokens import fold

if t.TYPE_CHECKING:
    from alembic.operations.batch import BatchOperationsImpl


@dataclasses.dataclass
class AddedColumn:
    """A column that is added, and the names of those between which it is put.

    :param name: The name that it gets, if the batch renames it as well.
    """

    column: sa.Column[t.Any]
    name: str
    before: str | None = None
    after: str | None = None


class Changes:
    """The changes of a batch. Names of columns are folded, and those from before it.

    :param batch: The batch, not flushed yet.
    """

    def __init__(self, batch: BatchOperationsImpl) -> None:
        self._table = str(batch.table_name)
        self.added: list[AddedColumn] = []
        self.dropped: set[str] = set()
        #: The new names by the old ones.
        self.renamed: dict[str, str] = {}
        #: The arguments of ``alter_column``.
        self.altered: dict[str, dict[str, t.Any]] = {}
        #: The types that values are converted to.
        self.converted: dict[str, t.Any] = {}
        #: Tables with a column from ``reflect_args``, by its name.
        self.declared: dict[str, sa.Table] = {}
        #: Tables with nothing but what is added, and whether that is a new primary key.
        self.tables: dict[sa.Table, bool] = {}
        #: The names of constraints and indexes, and whether they must be there.
        self.dropped_constraints: dict[str, bool] = {}
        self.dropped_indexes: dict[str, bool] = {}
        self.indexes: list[tuple[sa.Index, dict[str, t.Any]]] = []

        if batch.copy_from is None:
            self._check(batch)

        for argument in batch.reflect_args:
            self._declare(argument)

        for name, args, options in batch.batch:
            self._add(name, args, options)

    @property
    def replaced(self) -> set[str]:
        """The columns that are dropped and added again."""
        return self.dropped & {fold(added.name) for added in self.added}

    @property
    def gone(self) -> set[str]:
        return self.dropped - self.replaced

    def find_concerned(self, columns: c.Iterable[str]) -> list[str]:
        """Return the columns whose places in statements matter. What names one that
        goes may name any other one as well.
        """
        return [x for x in columns if self.gone or x in self.renamed]

    def follow_renames(self, table: sa.Table) -> None:
        """Rename the columns of a table that has them by their old names."""
        added = {fold(found.name) for found in self.added}

        for column in table.columns:
            if (name := fold(column.name)) in self.renamed and name not in added:
                column.name = self.renamed[name]

    def _check(self, batch: BatchOperationsImpl) -> None:
        """Refuse arguments that only apply to a reflected table."""
        # Alembic adds a listener of its own.
        listeners = [
            listener
            for _, listener in batch.reflect_kwargs.get("listeners", ())
            if getattr(listener, "__name__", "") != "autogen_column_reflect"
        ]
        arguments = [
            argument
            for argument in batch.reflect_args
            if not isinstance(argument, sa.Column)
            or argument.foreign_keys
            or argument.constraints
            or argument.unique
        ]
        columns = [x for x in batch.table_args if isinstance(x, sa.Column)]
        others = batch.reflect_kwargs.keys() - {"listeners"}

        for name, found, advice in (
            ("reflect_kwargs", listeners or others, "Use reflect_args, or copy_from."),
            ("constraints in reflect_args", arguments, "Create them in the batch."),
            ("columns in table_args", columns, "Use add_column()."),
        ):
            if found:
                reason = f"SQLite's own statement is edited, without {name}"
                raise BatchError(self._table, None, reason, advice)

    def _declare(self, argument: sa.Column[t.Any]) -> None:
        """Change a column to its definition in ``reflect_args``."""
        default = argument.server_default
        # A computed column stays computed.
        computed = None if default is None else False
        self.altered[fold(argument.name)] = {
            "type_": argument.type,
            "nullable": None if argument.primary_key else argument.nullable,
            "server_default": getattr(default, "arg", computed),
        }
        column = sa.Column(argument.name, argument.type)
        table = sa.Table(self._table, sa.MetaData(), column)
        self.declared[fold(argument.name)] = table

    def _add(self, name: str, args: t.Any, options: dict[str, t.Any]) -> None:
        match name:
            case "add_column":
                column = args[1]
                beside = options.get("insert_before"), options.get("insert_after")
                self.added.append(AddedColumn(column, column.name, *beside))
                self.tables[column.table] = False
            case "drop_column":
                self._drop(args[1].name)
            case "alter_column":
                self._alter(fold(args[1]), **options)
            case "add_constraint":
                [constraint] = args
                is_key = isinstance(constraint, sa.PrimaryKeyConstraint)
                self.tables[constraint.table] = is_key
            case "drop_constraint" if isinstance(args[0].name, str):
                # The CHECK of a type has a text, and can be missing.
                is_of_type = bool(str(getattr(args[0], "sqltext", "")))
                self.dropped_constraints[args[0].name] = not is_of_type
            case "create_index":
                self.indexes.append((args[0], options))
            case "drop_index":
                self.dropped_indexes[args[0].name] = not options.get("if_exists")
            case "rename_table":
                reason = "Alembic renames no table in one"
                raise BatchError(self._table, None, reason, "Use op.rename_table().")

    def _drop(self, name: str) -> None:
        column = fold(name)
        added = [found for found in self.added if fold(found.name) == column]

        for found in added:
            self.added.remove(found)
            self.tables.pop(found.column.table, None)

        if not added:
            self.dropped.add(column)

        self.renamed.pop(column, None)
        self.altered.pop(column, None)
        self.converted.pop(column, None)
        self.declared.pop(column, None)

    def _alter(self, column: str, name: str | None = None, **options: t.Any) -> None:
        unchanged = {"type_": None, "nullable": None, "autoincrement": None}
        before = self.altered.setdefault(column, {})

        for option, value in options.items():
            if value is not unchanged.get(option, False):
                before[option] = value

        if name is not None:
            self.renamed[column] = str(name)

            for found in self.added:
                if fold(found.name) == column:
                    found.name = str(name)

        if options.get("type_") is not None:
            self.converted[column] = options["type_"]
            self.declared.pop(column, None)
