"""The table that a batch makes in place of another one."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.util import topological

from ...errors import BatchError
from ..constraint_names import CONVENTION
from .altered import alter_column
from .altered import render_column
from .altered import render_constraints
from .altered import without_counter
from .changes import Changes
from .column_names import find_columns
from .column_names import rename_columns
from .create_table import Clause
from .create_table import CreateTable
from .create_table import Item
from .tokens import fold
from .tokens import split

if t.TYPE_CHECKING:
    from alembic.operations.batch import BatchOperationsImpl

_CONSTRAINT_TYPES: dict[str, type[sa.schema.ColumnCollectionConstraint]] = {
    "PRIMARY": sa.PrimaryKeyConstraint,
    "UNIQUE": sa.UniqueConstraint,
}


class NewTable:
    """A statement of SQLite with the changes of a batch, and nothing else changed.

    :param connection: A connection to the database.
    :param batch: The batch.
    :param changes: What it changes.
    :param old: What the table is now.
    :param indexes: The statements of its indexes.
    """

    def __init__(
        self,
        connection: sa.Connection,
        batch: BatchOperationsImpl,
        changes: Changes,
        old: CreateTable,
        indexes: list[str],
    ) -> None:
        self.old = old
        self._dialect = connection.dialect
        self._batch = batch
        self.changes = changes
        self._name = old.name.name or ""
        self._check_columns(old)
        [places, *index_places] = self._find_columns(connection, old, indexes)
        #: The statements of the indexes; ``None`` for one that names a dropped column.
        self.indexes = [
            None
            if self._gone & {*found.values()}
            else rename_columns(sql, found, changes.renamed)
            for sql, found in zip(indexes, index_places, strict=True)
        ]
        table = self._without_dropped(old, places)
        kept = [name for name in old.columns if name not in changes.dropped]
        #: The folded names in the old table by the names in the new one.
        self.copied: dict[str, str] = {
            str(item.column): name
            for name, item in zip(kept, table.columns.values(), strict=True)
            if not item.of_kind("GENERATED")
        }
        table = self._with_added(table)

        for name, options in changes.altered.items():
            table = alter_column(table, self._now(name), self._dialect, **options)

        table = self._with_constraints(table)
        #: The new statement.
        self.table = self._with_options(table)

    @property
    def _gone(self) -> set[str]:
        return self.changes.dropped - self.changes.replaced

    def _now(self, name: str) -> str:
        """Return the folded new name of a column."""
        return fold(self.changes.renamed.get(fold(name), name))

    def _check_columns(self, old: CreateTable) -> None:
        changes = self.changes
        new = {fold(column.name) for column, *_ in changes.added}
        new |= {fold(name) for name in changes.renamed.values()}
        changed = changes.renamed.keys() | changes.altered.keys()
        known = (old.columns.keys() - self._gone) | new

        for name in sorted((changes.dropped - old.columns.keys()) | (changed - known)):
            raise self._has_no(name)

    def _has_no(self, column: str) -> BatchError:
        reason = f"it has no column '{column}'"
        return BatchError(self._name, None, reason, "Correct the revision.")

    def _find_columns(
        self, connection: sa.Connection, old: CreateTable, indexes: list[str]
    ) -> list[dict[int, str]]:
        """Find where the changed columns are named, and others beside them."""
        columns = self._gone | self.changes.renamed.keys()

        if self._gone:
            columns |= old.columns.keys() & {
                fold(token.name)
                for check in old.of_kind("CHECK")
                for token in check.tokens
                if token.name is not None
            }

        if not columns:
            return [{} for _ in (old, *indexes)]

        return find_columns(connection, old.sql, indexes, sorted(columns))

    # What goes.

    def _without_dropped(self, old: CreateTable, places: dict[int, str]) -> CreateTable:
        dropped = self._find_dropped(old)
        renamed = CreateTable.parse(
            rename_columns(old.sql, places, self.changes.renamed)
        )
        gone: list[Item | Clause] = []
        edits = []

        for item, new_item in zip(old.items, renamed.items, strict=True):
            if item.column and fold(item.column) in self.changes.dropped:
                gone.append(new_item)
                continue

            for clause, new in zip(item.clauses, new_item.clauses, strict=True):
                named = {places.get(token.start, "") for token in clause.tokens} - {""}

                if clause in dropped or self._goes(clause, named, item, old):
                    gone.append(new)
                elif clause.kind == "PRIMARY" and named & self._gone:
                    edits.append(self._shrunk(clause, new, renamed))

        return renamed.without(gone, *edits)

    def _find_dropped(self, old: CreateTable) -> list[Clause]:
        """Find the constraints that are dropped by their names, or with a type."""
        found = []

        for name, must_be_there in self.changes.dropped_constraints.items():
            named = [clause for clause in old.clauses if clause.name == name] or [
                clause for clause in old.clauses if self._convention(clause) == name
            ]
            found += named

            if must_be_there and not named:
                # As Alembic says it.
                raise ValueError(f"No such constraint: '{name}'")

        # As in Alembic, table_args with a CHECK replace all that have no name.
        gives_checks = any(
            isinstance(argument, sa.CheckConstraint)
            for argument in self._batch.table_args
        )
        found += [
            check
            for check in old.of_kind("CHECK")
            if check.name is None and (gives_checks or self._is_of_type(check))
        ]
        return found

    def _convention(self, clause: Clause) -> str | None:
        """Return the name by which a constraint that has none can be dropped."""
        is_key = clause.kind == "FOREIGN"

        if clause.name is not None or not (is_key or clause.kind in _CONSTRAINT_TYPES):
            return None

        convention = self._batch.naming_convention or CONVENTION
        table = sa.Table(
            self._name,
            sa.MetaData(naming_convention=convention),
            *(sa.Column(name, sa.Integer) for name in clause.columns),
        )
        constraint = (
            sa.ForeignKeyConstraint(
                clause.columns, [f"{clause.parent}.{name}" for name in clause.columns]
            )
            if is_key
            else _CONSTRAINT_TYPES[clause.kind](*clause.columns)
        )
        table.append_constraint(constraint)
        return None if constraint.name is None else str(constraint.name)

    def _is_of_type(self, check: Clause) -> bool:
        """Whether a CHECK is one that SQLAlchemy makes for a type that goes."""
        column, word, *group = [*check.inner, None, None][: len(check.inner) or 2]
        changed = self.changes.retyped | self.changes.replaced
        return (
            column is not None
            and word is not None
            and fold(column.name or "") in changed
            and word.keyword == "IN"
            and [token.text for token in group if token][:1] == ["("]
            and group == check.inner[2:]
        )

    def _goes(
        self, clause: Clause, named: set[str], item: Item, old: CreateTable
    ) -> bool:
        """Whether a clause goes with the columns that it names.

        :raises BatchError: If it is about another column as well.
        """
        others = named - self._gone

        if named == others:
            return False

        if clause.kind == "PRIMARY":
            return not others

        if clause.kind == "GENERATED":
            raise BatchError(
                self._name,
                f"column '{item.column}'",
                f"it is computed from column '{min(named & self._gone)}'",
                "Drop it in the same batch.",
            )

        if clause.kind == "CHECK" and others:
            advice = (
                "Drop the constraint in the same batch."
                if clause.name
                else "It has no name to drop it by, so give the batch all CHECK"
                " constraints without a name that shall stay, as table_args."
            )
            raise BatchError(
                self._name,
                f"CHECK constraint '{clause.name or old.text(clause.inner)}'",
                f"it names column '{min(named & self._gone)}' and also '{min(others)}'",
                advice,
            )

        return True

    def _shrunk(
        self, old: Clause, new: Clause, table: CreateTable
    ) -> tuple[int, int, str]:
        """Leave the dropped columns out of a primary key, as Alembic does."""
        kept = [
            table.text(part)
            for name, part in zip(old.columns, split(new.inner), strict=True)
            if fold(name) not in self._gone
        ]
        return new.inner[0].start, new.inner[-1].end, ", ".join(kept)

    # What is new.

    def _with_added(self, table: CreateTable) -> CreateTable:
        texts = [
            render_column(added.column, self._dialect) for added in self.changes.added
        ]
        order = [*table.columns]
        table = table.with_items(len(order), texts)

        for column, before, after in self.changes.added:
            beside = self._now(str(after or before or order[-1]))

            if beside not in order:
                raise self._has_no(beside)

            place = order.index(beside) + (after is not None or before is None)
            order.insert(place, fold(column.name))

        if self._batch.partial_reordering:
            # As Alembic does it.
            pairs = {
                (self._now(one), self._now(other))
                for names in self._batch.partial_reordering
                for one, other in zip(names, names[1:], strict=False)
            }
            order = [*topological.sort(pairs, order, deterministic_order=True)]

        if order == [*table.columns]:
            return table

        columns = [table.columns[name].piece for name in order]
        rest = [item.piece for item in table.items if item.column is None]
        return table.arranged([*columns, *rest])

    def _with_constraints(self, table: CreateTable) -> CreateTable:
        batch, changes = self._batch, self.changes
        # An argument may name a column as it was, or as it is now.
        names = {str(item.column) for item in table.columns.values()}
        names |= changes.renamed.keys()
        arguments = [*batch.reflect_args, *batch.table_args]
        given = sa.Table(
            self._name,
            sa.MetaData(),
            *(sa.Column(name, sa.Integer) for name in names),
            *(item for item in arguments if not isinstance(item, sa.Column)),
            schema=batch.schema,
            **batch.table_kwargs,
        )
        changes.indexes += [(index, {}) for index in given.indexes]
        replacing = {*changes.new_keys, id(given)}

        for source in (*changes.added_to.values(), given):
            changes.follow_renames(source)

            for text, clause in render_constraints(source, self._dialect):
                if clause.kind == "PRIMARY":
                    if id(source) not in replacing and self._has_key(table, clause):
                        continue

                    table = table.without(table.of_kind("PRIMARY"))

                if clause.name is not None:
                    # As in Alembic, it takes the place of one with the same name.
                    same = [old for old in table.clauses if old.name == clause.name]
                    table = table.without(same)

                table = table.with_items(len(table.items), [text])

        return table

    def _has_key(self, table: CreateTable, key: Clause) -> bool:
        """Whether there is a primary key already that a column is part of."""
        old = {fold(name) for key in table.of_kind("PRIMARY") for name in key.columns}

        if self.changes.new_keys or old >= {fold(name) for name in key.columns}:
            return True

        if old:
            raise BatchError(
                self._name,
                None,
                "it has a primary key already",
                "Drop that in the same batch, or create another with"
                " create_primary_key().",
            )

        return False

    def _with_options(self, table: CreateTable) -> CreateTable:
        given = self._batch.table_kwargs
        options = [*table.options]

        for key, option, value in (
            ("sqlite_with_rowid", "WITHOUT ROWID", False),
            ("sqlite_strict", "STRICT", True),
        ):
            if key in given:
                options = [found for found in options if found != option]
                options += [option] if bool(given[key]) == value else []

        if options != [*table.options]:
            text = f" {', '.join(options)}"
            table = table.edited((table.end, len(table.sql), text.rstrip()))

        counts = given.get("sqlite_autoincrement")

        if counts and table.counter is None:
            for key in table.of_kind("PRIMARY"):
                end = key.inner[-1].end if key.inner else key.end
                table = table.with_clause(end, "AUTOINCREMENT")
        elif counts is False:
            table = without_counter(table)

        return table
