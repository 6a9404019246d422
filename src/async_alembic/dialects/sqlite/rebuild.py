"""The new table that Alembic makes on SQLite in place of an old one, with what
SQLAlchemy does not reflect of that.
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable

from .definition import Constraint
from .definition import is_one_group
from .definition import names_in
from .definition import parse_table
from .definition import quote
from .definition import rename_columns
from .definition import TableDefinition
from .definition import tokens

_KINDS: dict[str, type[sa.Constraint]] = {
    "FOREIGN": sa.ForeignKeyConstraint,
    "PRIMARY": sa.PrimaryKeyConstraint,
    "UNIQUE": sa.UniqueConstraint,
}


class DeclaredType(sa.types.TypeDecorator[t.Any]):
    """A type as the old table has it, where SQLAlchemy would write another one.

    :param reflected: What SQLAlchemy takes it for.
    :param text: The type and the collation.
    """

    impl: t.Any = sa.types.NullType
    cache_ok: bool | None = True

    def __init__(self, reflected: sa.types.TypeEngine[t.Any], text: str) -> None:
        super().__init__()
        self.impl = reflected
        self.text = text


@compiles(DeclaredType)
def _compile_declared_type(type_: DeclaredType, compiler: object, **kw: object) -> str:
    return type_.text


class Changes:
    """What a batch was asked to change of its table.

    :param batch: The operations, as Alembic collects them: the name, the arguments and
        the keyword arguments of each.
    :param given: What the user gave in place of what would be reflected.
    """

    def __init__(
        self, batch: c.Iterable[tuple[str, t.Any, t.Any]], given: c.Iterable[t.Any]
    ) -> None:
        #: The names of columns, in lower case.
        self.added: set[str] = set()
        self.dropped: set[str] = set()
        self.retyped: set[str] = set()
        self.not_counting: set[str] = set()
        #: The new names of columns by the old ones, those in lower case.
        self.renamed: dict[str, str] = {}
        self.added_constraints: set[str | None] = set()
        self.dropped_constraints: set[str | None] = set()
        self.dropped_indexes: set[str | None] = set()

        for name, args, options in batch:
            match name:
                case "add_column":
                    self.added.add(args[1].name.lower())
                case "drop_column":
                    self.dropped.add(args[1].name.lower())
                case "alter_column":
                    self._alter(args[1].lower(), **options)
                case "add_constraint":
                    self.added_constraints.add(name_of(args[0]))
                case "drop_constraint":
                    self.dropped_constraints.add(name_of(args[0]))
                case "drop_index":
                    self.dropped_indexes.add(name_of(args[0]))

        self.retyped |= {x.name.lower() for x in given if isinstance(x, sa.Column)}
        self.replaced: set[str] = self.dropped & self.added
        self.dropped -= self.added

    def _alter(
        self,
        column: str,
        name: str | None = None,
        type_: object = None,
        autoincrement: bool | str | None = None,
        **options: object,
    ) -> None:
        if name is not None:
            self.renamed[column] = str(name)

        if type_ is not None:
            self.retyped.add(column)

        if autoincrement is False:
            self.not_counting.add(column)


class Rebuild:
    """A table that takes the place of another one.

    :param connection: Where they are.
    :param name: The name of the table.
    :param old: What the table is now.
    :param changes: What is to be different.
    """

    def __init__(
        self,
        connection: sa.Connection,
        name: str,
        schema: str | None,
        old: TableDefinition,
        changes: Changes,
    ) -> None:
        self._dialect = connection.dialect
        self._name = name
        self._old = old
        self._changes = changes
        inspector = sa.inspect(connection)
        # What SQLAlchemy sees, Alembic keeps or leaves out as it was asked to.
        self._reflected_checks = {
            found["name"] for found in inspector.get_check_constraints(name, schema)
        }
        uniques = inspector.get_unique_constraints(name, schema)
        self._reflected_uniques = {_keys(found["column_names"]) for found in uniques}
        self._reflected_names = {found["name"] for found in uniques}
        #: The CHECK constraints that stay.
        self.checks: list[sa.CheckConstraint] = list(self._find_checks())
        self._gives_checks = False

    def _find_checks(self) -> c.Iterator[sa.CheckConstraint]:
        changes = self._changes

        for check in self._old.of_kind("CHECK"):
            gone = set(changes.dropped)

            if check.name is None:
                gone |= changes.replaced
            elif check.name in changes.dropped_constraints:
                continue

            if [token.keyword for token in tokens(check.inner)][1:2] == ["IN"]:
                # A type takes its own with it.
                gone |= changes.retyped

            if not names_in(check.inner) & gone:
                yield sa.CheckConstraint(self._expression(check.inner), check.name)

    def take_checks(self, arguments: tuple[t.Any, ...]) -> tuple[t.Any, ...]:
        """Give the table its CHECK constraints, unless the user has.

        :param arguments: Those of the table, as the user gave them.
        """
        # As Alembic has it: who gives one has given all.
        self._gives_checks = not any(
            isinstance(argument, sa.CheckConstraint) for argument in arguments
        )
        return (*arguments, *self.checks) if self._gives_checks else arguments

    def reflect_column(
        self, inspector: object, table: object, column: dict[str, t.Any]
    ) -> None:
        """Correct what SQLAlchemy has reflected of a column."""
        old = self._old.columns.get(column["name"].lower())

        if old is None:
            return

        if (default := column.get("default")) is not None:
            # A colon in it begins no parameter.
            default = re.sub(r"(?<!\\):", r"\:", default)
            column["default"] = f"({default})" if _is_torn(default) else default

        if old.generated is not None:
            column["default"] = None
            column["computed"] = {
                "sqltext": self._expression(old.generated.inner),
                "persisted": "STORED" in old.generated.words,
            }

        reflected = column["type"]
        text = old.type

        if old.collation is not None:
            text += f" COLLATE {quote(old.collation)}"

        if isinstance(reflected, sa.types.NullType) or not _is_same(
            text, self._compile(reflected)
        ):
            column["type"] = DeclaredType(reflected, text)

    def complete(self, element: CreateTable) -> sa.DDL:
        """The statement that makes the new table, with what it lacks."""
        table = element.element

        for column in table.columns:
            self._complete_column(table, column)

        for constraint in list(table.constraints):
            if name_of(constraint) not in self._changes.added_constraints - {None}:
                self._complete_constraint(table, constraint)

        self._add_uniques(table)
        sql = str(element.compile(dialect=self._dialect)).strip()
        self.new: TableDefinition = _parse(sql)
        missing = [n for n in self._old.options if n not in self.new.options]

        if missing:
            sql += (", " if self.new.options else " ") + ", ".join(missing)
            self.new = _parse(sql)

        return sa.DDL(sql.replace("%", "%%"))  # type: ignore[no-untyped-call]

    def _complete_column(self, table: sa.Table, column: sa.Column[t.Any]) -> None:
        changes = self._changes
        # Alembic leaves it the old name where the column is renamed.
        key = column.key.lower()
        old = self._old.columns.get(key) if key not in changes.added else None

        if old is None:
            return

        if (
            old.collation is not None
            and key in changes.retyped
            and getattr(column.type, "collation", None) is None
        ):
            text = f"{self._compile(column.type)} COLLATE {quote(old.collation)}"
            column.type = DeclaredType(column.type, text)

        if old.not_null is not None:
            options = column.dialect_options["sqlite"]
            options["on_conflict_not_null"] = old.not_null.on_conflict

        if (
            self._old.autoincrements
            and column.primary_key
            and key not in changes.not_counting
            and self._compile(column.type).upper() == "INTEGER"
            and "sqlite_autoincrement" not in [*table.dialect_kwargs]
        ):
            table.dialect_options["sqlite"]["autoincrement"] = True

    def _complete_constraint(self, table: sa.Table, constraint: sa.Constraint) -> None:
        if isinstance(constraint, sa.CheckConstraint):
            is_ours = any(constraint is check for check in self.checks)

            # What SQLAlchemy has read need not be what it was.
            if self._gives_checks and not is_ours:
                if constraint.name in self._reflected_checks - {None}:
                    table.constraints.discard(constraint)

            return

        old = self._find_old(constraint)

        if old is None:
            return

        if constraint.name is None or constraint.name in self._reflected_names:
            constraint.name = old.name

        if old.kind == "FOREIGN":
            for option, value in old.options.items():
                setattr(constraint, option, value)
        elif old.on_conflict is not None:
            constraint.dialect_options["sqlite"]["on_conflict"] = old.on_conflict

            if old.kind == "PRIMARY" and len(old.columns) == 1:
                [column] = t.cast("sa.PrimaryKeyConstraint", constraint).columns
                options = column.dialect_options["sqlite"]
                options["on_conflict_primary_key"] = old.on_conflict

    def _find_old(self, constraint: sa.Constraint) -> Constraint | None:
        if not isinstance(constraint, sa.schema.ColumnCollectionConstraint):
            return None

        keys = _keys(column.key for column in constraint.columns)

        for old in self._old.constraints:
            if isinstance(constraint, _KINDS.get(old.kind, ())):
                if keys == _keys(old.columns) and _refers_alike(constraint, old):
                    return old

        return None

    def _add_uniques(self, table: sa.Table) -> None:
        columns = {column.key.lower(): column for column in table.columns}

        for unique in self._old.of_kind("UNIQUE"):
            keys = _keys(unique.columns)

            if keys not in self._reflected_uniques and columns.keys() >= {*keys}:
                table.append_constraint(
                    sa.UniqueConstraint(
                        *(columns[key] for key in keys),
                        name=unique.name,
                        sqlite_on_conflict=unique.on_conflict,
                    )
                )

    def copy(self, element: sa.Insert) -> sa.Insert:
        """The statement that copies the rows: with their ids, which can be used without
        a column that names them, and without what is computed.
        """
        if not isinstance(element.select, sa.Select):
            return element

        # A copy, as it can get a column for the ids.
        into = t.cast("sa.Table", element.table).to_metadata(sa.MetaData())
        sources = {_source(s).key: s for s in element.select.selected_columns}
        copied = [
            (column, sources[column.key])
            for column in into.columns
            if column.key in sources and column.computed is None
        ]

        if (rowid := self._rowid()) is not None:
            into.append_column(sa.Column(rowid, sa.Integer))
            ids: t.Any = sa.literal_column(f"{quote(self._name)}.{rowid}")
            copied.insert(0, (into.columns[rowid], ids))

        columns, expressions = zip(*copied, strict=True)
        # With the defaults of columns that are new.
        return into.insert().inline().from_select(columns, sa.select(*expressions))

    def _rowid(self) -> str | None:
        """A name for the id of a row, if both tables have one that no column names."""
        tables = [self._old, self.new]
        names = {name for table in tables for name in table.columns}
        free = [name for name in ("rowid", "oid") if name not in names]

        if self.new.has_rowid_alias or not free:
            return None

        has_ids = all("WITHOUT ROWID" not in table.options for table in tables)
        return free[0] if has_ids else None

    def _expression(self, sql: str) -> sa.ColumnElement[t.Any]:
        return sa.literal_column(rename_columns(sql, self._changes.renamed, self._name))

    def _compile(self, type_: sa.types.TypeEngine[t.Any]) -> str:
        return type_.compile(dialect=self._dialect)


def name_of(item: sa.Constraint | sa.Index) -> str | None:
    return None if item.name is None else str(item.name)


def _is_torn(default: str) -> bool:
    """Whether the signs at both ends of a default do not belong together, as Alembic
    believes.
    """
    if re.fullmatch(r"'.+'", default):
        return len(tokens(default)) > 1

    return bool(re.fullmatch(r"\(.+\)", default)) and not is_one_group(default)


def _refers_alike(constraint: sa.Constraint, old: Constraint) -> bool:
    if not isinstance(constraint, sa.ForeignKeyConstraint):
        return True

    parent = constraint.elements[0].target_fullname.split(".")[-2]
    return parent.lower() == old.parent.lower()


def _source(expression: t.Any) -> t.Any:
    """The column that is copied, in a ``CAST`` or not."""
    return getattr(expression, "clause", expression)


def _keys(names: c.Iterable[str | None]) -> tuple[str, ...]:
    return tuple((name or "").lower() for name in names)


def _is_same(one: str, other: str) -> bool:
    return "".join(one.split()).upper() == "".join(other.split()).upper()


def _parse(sql: str) -> TableDefinition:
    definition = parse_table(sql)
    assert definition is not None
    return definition
