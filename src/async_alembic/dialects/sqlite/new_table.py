"""The table by which a batch replaces another one."""

from __future__ import annotations

import itertools
import typing as t

import sqlalchemy as sa
from sqlalchemy.util import topological

from ...errors import BatchError
from .changes import Changes
from .column_names import find_columns
from .column_names import rename_columns
from .create_table import CreateTable
from .items import Clause
from .items import Item
from .rendering import alter_column
from .rendering import name_of
from .rendering import render_column
from .rendering import render_constraints
from .rendering import set_options
from .rendering import stops_computing
from .tokens import fold
from .tokens import groups
from .tokens import quote
from .tokens import split

if t.TYPE_CHECKING:
    from alembic.operations.batch import BatchOperationsImpl


class NewTable:
    """The statement of a new table, its indexes, and the columns to copy.

    :param connection: A connection to the database.
    :param batch: The batch.
    :param changes: The changes of the batch.
    :param old: The table before.
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
        self._changes = changes
        self._name = str(batch.table_name)
        self._check_columns()
        statements = [old.sql, *indexes]
        self._places, *places = find_columns(
            connection, statements, changes.find_concerned(old.columns)
        )
        #: The statements of the indexes to recreate.
        self.indexes: list[str] = keep_indexes(indexes, places, changes)
        table = self._without_dropped()
        stay = [name for name in old.columns if name not in changes.dropped]
        plain = {x for x, o in changes.altered.items() if stops_computing(**o)}
        #: The folded names of the columns that are copied, by the new ones.
        self.copied: dict[str, str] = {
            item.column: name
            for name, item in zip(stay, table.columns.values(), strict=True)
            if not item.of_kind("GENERATED") or name in plain
        }
        table = self._with_columns(table)

        for name, options in changes.altered.items():
            column = self._find(table, name)
            table = alter_column(table, column, self._dialect, **options)

        #: The new statement.
        self.table: CreateTable = set_options(
            self._with_constraints(table), batch.table_kwargs
        )

    def _check_columns(self) -> None:
        """Refuse columns that are missing, or there twice."""
        changes, old = self._changes, self.old.columns
        added = [added.name for added in changes.added]

        for name in sorted(changes.dropped | changes.renamed.keys()):
            if name not in old and changes.renamed.get(name) not in added:
                self._refuse(f"it has no column '{name}'")

        stay = (changes.renamed.get(x, x) for x in old if x not in changes.dropped)
        names = [fold(name) for name in (*stay, *added)]

        for name in names:
            if names.count(name) > 1:
                self._refuse(f"it would have two columns '{name}'")

    def _refuse(self, reason: str) -> t.NoReturn:
        raise BatchError(self._name, None, reason, "Correct the revision.")

    def _find(self, table: CreateTable, name: str) -> str:
        """Return the folded name that a column has now."""
        now = fold(self._changes.renamed.get(fold(name), name))

        if now not in table.columns:
            self._refuse(f"it has no column '{name}'")

        return now

    # What is dropped.

    def _without_dropped(self) -> CreateTable:
        renamed = self._changes.renamed
        new = CreateTable.parse(rename_columns(self.old.sql, self._places, renamed))
        dropped = self._find_dropped()
        gone: list[Item | Clause] = []
        edits = []

        for item, new_item in zip(self.old.items, new.items, strict=True):
            if fold(item.column) in self._changes.dropped:
                gone.append(new_item)
                continue

            for clause, new_clause in zip(item.clauses, new_item.clauses, strict=True):
                if clause in dropped or self._goes(clause, item):
                    gone.append(new_clause)
                elif not self._changes.gone.isdisjoint(map(fold, clause.columns)):
                    edits.append(self._shrink(clause, new_clause, new))

        return new.without(gone, *edits)

    def _shrink(
        self, old: Clause, new: Clause, table: CreateTable
    ) -> tuple[int, int, str]:
        """Leave the dropped columns out of a primary key, as Alembic does."""
        kept = [
            table.text(part)
            for name, part in zip(old.columns, split(new.inner), strict=True)
            if fold(name) not in self._changes.gone
        ]
        return new.inner[0].start, new.inner[-1].end, ", ".join(kept)

    def _find_dropped(self) -> list[Clause]:
        """Find the constraints that are dropped by their names, or with a type."""
        found = []
        convention = self._batch.naming_convention

        for name, must_be_there in self._changes.dropped_constraints.items():
            clauses = self.old.clauses
            named = [x for x in clauses if x.name == name] or [
                x for x in clauses if name_of(x, self._name, convention) == name
            ]
            found += named

            if must_be_there and not named:
                # As Alembic says it.
                raise ValueError(f"No such constraint: '{name}'")

        # As with Alembic: who gives one as table_args gives all that have no name.
        given = self._batch.table_args
        is_given = any(isinstance(x, sa.CheckConstraint) for x in given)
        checks = [check for check in self.old.of_kind("CHECK") if check.name is None]
        return found + [x for x in checks if is_given or self._is_of_type(x)]

    def _is_of_type(self, check: Clause) -> bool:
        """Whether SQLAlchemy has created a CHECK for a type that is replaced."""
        changed = self._changes.replaced | {
            name for name, x in self._changes.altered.items() if "type_" in x
        }
        inner = check.inner
        return (
            fold(inner[0].name or "") in changed
            and [token.keyword for token in inner[1:3]] == ["IN", "("]
            and next(groups(inner[2:])) == inner[2:]
        )

    def _goes(self, clause: Clause, item: Item) -> bool:
        """Whether a clause is dropped with the columns that it names.

        :raises BatchError: If it names other columns as well.
        """
        places = (token.start for token in clause.tokens)
        named = {self._places[place] for place in places if place in self._places}
        gone = named & self._changes.gone
        others = named - gone

        if not gone:
            return False

        if clause.kind == "PRIMARY":
            return gone == {*map(fold, clause.columns)}

        if clause.kind == "GENERATED":
            broken = f"column '{item.column}'"
            advice = "Drop that in the same batch."
        elif clause.kind == "CHECK" and others:
            inner = " ".join(self.old.text(clause.inner).split())
            broken = f"CHECK constraint '{clause.name or inner}'"
            advice = (
                "Drop the constraint in the same batch."
                if clause.name
                else "Give the batch those without a name that are to stay as"
                " table_args, which leaves out this one."
            )
        else:
            return True

        also = f", and also '{min(others)}'" if others else ""
        reason = f"it names column '{min(gone)}'{also}"
        raise BatchError(self._name, broken, reason, advice)

    # What is new.

    def _with_columns(self, table: CreateTable) -> CreateTable:
        order = [*table.columns]
        added: set[str] = set()

        for new in self._changes.added:
            new.column.name = new.name
            text = render_column(new.column, self._dialect)
            table = table.with_item(len(table.columns), text)
            place = len(order)

            if (beside := new.after or new.before) is not None:
                place = order.index(self._find(table, beside)) + bool(new.after)

            # As with Alembic, those after the same column stay in their own order.
            while new.after and place < len(order) and order[place] in added:
                place += 1

            order.insert(place, fold(new.name))
            added.add(fold(new.name))

        if orders := self._batch.partial_reordering:
            pairs = {
                (self._find(table, one), self._find(table, other))
                for names in orders
                for one, other in itertools.pairwise(names)
            }
            order = [*topological.sort(pairs, order, deterministic_order=True)]

        rest = [item for item in table.items if not item.column]
        return table.arranged([*(table.columns[name] for name in order), *rest])

    def _with_constraints(self, table: CreateTable) -> CreateTable:
        batch, changes = self._batch, self._changes
        # Columns can be named as they were, or as they are now.
        columns = (*self.old.columns.values(), *table.columns.values())
        names = {item.column for item in columns}
        given = sa.Table(
            self._name,
            sa.MetaData(),
            *(sa.Column(name, sa.Integer) for name in names),
            *batch.table_args,
            schema=batch.schema,
            **batch.table_kwargs,
        )
        changes.indexes += [(index, {}) for index in given.indexes]
        declared = dict.fromkeys(changes.declared.values(), False)
        sources = declared | changes.tables | {given: True}

        for source in sorted(sources, key=sources.__getitem__):
            changes.follow_renames(source)

            for text, new in render_constraints(source, self._dialect):
                # As with Alembic, it takes the place of what has the same name.
                same = [x for x in table.clauses if x.name and x.name == new.name]

                if new.kind == "PRIMARY":
                    before = table.of_kind("PRIMARY")
                    same += before

                    # A column that is added can be one of several in the key.
                    if before and not sources[source]:
                        key = map(quote, before[0].columns + new.columns)
                        text = f"PRIMARY KEY ({', '.join(key)})"

                table = table.without(same)
                table = table.with_item(len(table.items), text)

        return table


def keep_indexes(
    indexes: list[str], places: list[dict[int, str]], changes: Changes
) -> list[str]:
    """Return the statements of the indexes that are not dropped with a column.

    :param places: Where each names columns.
    """
    return [
        rename_columns(sql, found, changes.renamed)
        for sql, found in zip(indexes, places, strict=True)
        if changes.gone.isdisjoint(found.values())
    ]
