"""What a batch was asked to change, as Alembic has collected it."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ...errors import BatchError
from .tokens import fold

if t.TYPE_CHECKING:
    from alembic.operations.batch import BatchOperationsImpl


class AddedColumn(t.NamedTuple):
    """A column that is added.

    :param before: The name of the column before which it is inserted.
    :param after: That of the column after which it is inserted.
    """

    column: sa.Column[t.Any]
    before: str | None
    after: str | None


class Changes:
    """The changes of a batch. Names of columns are folded, and those from before it.

    :param batch: The batch, not flushed yet.
    :param given: Arguments of ``alter_column`` that come before the operations.
    """

    def __init__(
        self, batch: BatchOperationsImpl, given: dict[str, dict[str, t.Any]]
    ) -> None:
        self._table = str(batch.table_name)
        self.added: list[AddedColumn] = []
        self.dropped: set[str] = set()
        #: The new names by the old ones.
        self.renamed: dict[str, str] = {}
        #: The other arguments of ``alter_column``.
        self.altered: dict[str, dict[str, t.Any]] = given
        #: The types that the user says columns have.
        self.given_types = {n: o["type_"] for n, o in given.items() if "type_" in o}
        #: The types that columns are converted to.
        self.converted: dict[str, t.Any] = {}
        #: Tables with nothing but what is added, such as Alembic makes, by their ids.
        self.added_to: dict[int, sa.Table] = {}
        #: The ids of those that have a primary key in place of the old one.
        self.new_keys: set[int] = set()
        #: The names of constraints, and whether each must be there.
        self.dropped_constraints: dict[str, bool] = {}
        self.indexes: list[tuple[sa.Index, dict[str, t.Any]]] = []
        #: The names of indexes, and whether each must be there.
        self.dropped_indexes: dict[str, bool] = {}

        for argument in batch.reflect_args:
            if isinstance(argument, sa.Column):
                self._put_into_table(sa.Column(argument.name, argument.type))

        for argument in batch.table_args:
            if isinstance(argument, sa.Column):
                self._put_into_table(argument)
                self.added.append(AddedColumn(argument, None, None))

        for name, args, options in batch.batch:
            if (method := getattr(self, f"_do_{name}", None)) is None:
                raise BatchError(
                    self._table, None, f"'{name}' is not part of a batch on SQLite"
                )

            method(*args, **options)

    @property
    def replaced(self) -> set[str]:
        """The columns that are dropped and added anew."""
        return self.dropped & {fold(added.column.name) for added in self.added}

    @property
    def retyped(self) -> set[str]:
        return {name for name, options in self.altered.items() if options.get("type_")}

    def follow_renames(self, table: sa.Table) -> None:
        """Let a table name columns as they are called now.

        :param table: A table in ``added_to``, or one of an index.
        """
        added = {fold(found.column.name) for found in self.added}

        for column in table.columns:
            if (name := fold(column.name)) in self.renamed and name not in added:
                column.name = self.renamed[name]

    def _put_into_table(self, column: sa.Column[t.Any]) -> None:
        table = sa.Table(self._table, sa.MetaData(), column)
        self.added_to[id(table)] = table

    def _do_add_column(
        self,
        table: str,
        column: sa.Column[t.Any],
        insert_before: str | None = None,
        insert_after: str | None = None,
        **options: object,
    ) -> None:
        self.added.append(AddedColumn(column, insert_before, insert_after))
        self.added_to[id(column.table)] = column.table

    def _do_drop_column(
        self, table: str, column: sa.Column[t.Any], **options: object
    ) -> None:
        added = [found for found in self.added if found.column.name == column.name]

        for found in added:
            self.added.remove(found)
            self.added_to.pop(id(found.column.table), None)

        if not added:
            self.dropped.add(fold(column.name))

    def _do_alter_column(
        self, table: str, column: str, name: str | None = None, **options: t.Any
    ) -> None:
        if name is not None:
            self.renamed[fold(column)] = str(name)

        if (type_ := options.get("type_")) is not None:
            self.converted[fold(column)] = type_

        self.altered.setdefault(fold(column), {}).update(
            (option, value)
            for option, value in options.items()
            if value is not (False if option == "server_default" else None)
        )

    def _do_add_constraint(self, constraint: sa.Constraint) -> None:
        self.added_to[id(constraint.table)] = constraint.table

        if isinstance(constraint, sa.PrimaryKeyConstraint):
            self.new_keys.add(id(constraint.table))

    def _do_drop_constraint(self, constraint: sa.Constraint, **options: object) -> None:
        # What Alembic drops with a type need not be there, and often has no name.
        is_of_type = isinstance(constraint, sa.CheckConstraint) and bool(
            str(constraint.sqltext)
        )

        if isinstance(constraint.name, str):
            self.dropped_constraints[constraint.name] = not is_of_type

    def _do_create_index(self, index: sa.Index, **options: t.Any) -> None:
        self.indexes.append((index, options))

    def _do_drop_index(self, index: sa.Index, if_exists: bool | None = None) -> None:
        self.dropped_indexes[str(index.name)] = not if_exists

    def _ignore_comment(self, *args: object) -> None:
        """SQLite has no comments of tables and columns."""

    _do_create_table_comment = _ignore_comment
    _do_drop_table_comment = _ignore_comment
    _do_create_column_comment = _ignore_comment
