"""Models as users have them on each database, and changes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from typing import TypeVar

from hypothesis import strategies as st

from .known import avoids
from .models import Check
from .models import Column
from .models import Database
from .models import ForeignKey
from .models import Index
from .models import Model
from .models import Table
from .models import Unique

T = TypeVar("T")

TABLES = ["author", "book", "order", "Mixed Case", "été"]
COLUMNS = ["name", "title", "amount", "when", "Mixed Col", "été", "group"]
COMMENTS = [None, "short", 'it\'s "quoted" and 100% :done', "two\nlines \\ and a slash"]


@dataclass(frozen=True)
class Kind:
    """A type of columns.

    :param type: Its source.
    :param family: A column changes to another type of its family.
    :param defaults: Sources of server defaults.
    :param key: Whether it can be in an index or a unique constraint.
    """

    type: str
    family: str
    defaults: tuple[str, ...] = ()
    key: bool = True


_text = ("'x'", "''", "'it\\'s'", "sa.text(\"'y'\")", "'100%'", "'a :a'")
_json = "'{\"a\":true}'"
_number = ("'0'", "sa.text('1')", "'-7'")
_now = ("sa.func.now()", "sa.text('CURRENT_TIMESTAMP')")
_colors = "'red', 'green', \"it's\", 'light blue'"

COMMON = [
    Kind("sa.Integer()", "integer", _number),
    Kind("sa.BigInteger()", "integer", _number),
    Kind("sa.SmallInteger()", "integer", _number),
    Kind("sa.String(20)", "text", _text),
    Kind("sa.String(60)", "text", _text),
    Kind("sa.Unicode(30)", "text", _text),
    Kind("sa.Text()", "text", key=False),
    Kind("sa.Numeric(10, 2)", "number", ("'0'", "'1.50'", "sa.text('2.25')")),
    Kind("sa.Numeric(12, 4)", "number", ("'0'", "'1.5'")),
    Kind("sa.Numeric()", "number", ("'0'",)),
    Kind("sa.Float()", "number", ("'0'", "'1.5'")),
    Kind("sa.Float(10)", "number", ("'0'", "'1.5'")),
    Kind("sa.Double()", "number", ("'0'",)),
    Kind("sa.Boolean()", "boolean", ("sa.true()", "sa.false()", "sa.text('true')")),
    Kind("sa.DateTime()", "datetime", _now),
    Kind("sa.DateTime(timezone=True)", "datetime", _now),
    Kind("sa.Date()", "date", ("'2020-01-31'",)),
    Kind("sa.Time()", "time", ("'12:30:00'",)),
    Kind("sa.LargeBinary()", "binary", key=False),
    Kind("sa.JSON()", "json", ("'{}'", "sa.text(\"'[]'\")", _json), key=False),
    Kind("sa.Uuid()", "uuid"),
    Kind("sa.Interval()", "interval"),
    Kind("sa.Interval(native=False)", "emulated interval"),
    Kind(f"sa.Enum({_colors}, name='color')", "color", ("'red'", "'it\\'s'")),
    Kind("sa.Enum('s', 'm', 'l', name='Size')", "size", ("'m'",)),
    Kind("sa.Enum('a', 'bc', name='letters', native_enum=False)", "text", ("'a'",)),
    Kind(
        "sa.Enum('a', 'bc', name='checked', native_enum=False, create_constraint=True)",
        "checked",
        ("'a'",),
    ),
    Kind(
        "sa.Enum('a', 'def', name='checked', native_enum=False,"
        " create_constraint=True)",
        "checked",
        ("'a'",),
    ),
]
_blue = Kind(
    "sa.Enum('red', 'green', 'blue', name='color')", "color", ("'red'", "'blue'")
)
KINDS: dict[Database, list[Kind]] = {
    "sqlite": [*COMMON, _blue],
    "mariadb": [
        *COMMON,
        _blue,
        Kind("my.INTEGER(unsigned=True)", "integer", ("'0'", "sa.text('1')")),
        Kind("my.TINYINT()", "integer", _number),
        Kind("my.MEDIUMTEXT()", "text", key=False),
        Kind("my.DATETIME(fsp=3)", "datetime"),
        Kind("my.TIMESTAMP()", "datetime", ("sa.text('CURRENT_TIMESTAMP')",)),
        # Of a family of its own, as long as this change is overlooked.
        Kind("my.VARCHAR(30, collation='utf8mb4_bin')", "collated text", _text),
        Kind("my.SET('a', 'b')", "set", ("'a'",)),
        Kind("my.SET('a', 'c', 'b')", "set", ("'a'",)),
        Kind("my.YEAR()", "year"),
    ],
    "postgresql": [
        *COMMON,
        Kind("pg.JSONB()", "jsonb", ("'{}'", "sa.text(\"'[]'::jsonb\")"), key=False),
        Kind("pg.ARRAY(sa.Integer())", "array", ("'{}'", "sa.text(\"'{1,2}'\")")),
        Kind("pg.ARRAY(sa.Text())", "array of text", ("'{}'",)),
        Kind("pg.INET()", "address", ("'10.0.0.1'",)),
        Kind("pg.BYTEA()", "binary", key=False),
        Kind("sa.String()", "text", _text),
        Kind("pg.TIMESTAMP(precision=3)", "datetime", _now),
        # SQLAlchemy 2.1 warns of an index that is descending.
        Kind("pg.MONEY()", "money", key=False),
        Kind("pg.INT4RANGE()", "range"),
        Kind("pg.TSVECTOR()", "tsvector", key=False),
        Kind("pg.UUID()", "uuid", ("sa.text('gen_random_uuid()')",)),
        Kind("pg.ENUM('on', 'off', name='state')", "state", ("'on'",)),
        Kind("pg.ARRAY(sa.Enum('n', 's', name='pole'))", "poles", ("'{n}'",)),
        Kind("sa.CHAR(3)", "char", ("'abc'",)),
        Kind("pg.BIT(4)", "bit"),
    ],
}
#: MariaDB's is the name of the database.
DEFAULT_SCHEMAS: dict[Database, str] = {"postgresql": "public", "sqlite": "main"}


class Maker:
    """Draws what a model of a database is made of."""

    def __init__(self, draw: Callable[[st.SearchStrategy[T]], T], database: Database):
        self._draw: Any = draw
        self.database = database
        self.kinds = KINDS[database]
        self.convention = self.one_of([True, False])
        #: How the models call the default schema.
        self.schema = self.one_of([None, DEFAULT_SCHEMAS.get(database)])

    def avoids(self, fault: str) -> bool:
        return avoids(fault, self.database)

    def one_of(self, values: Iterable[T]) -> T:
        value: T = self._draw(st.sampled_from([*values]))
        return value

    def some_of(self, values: Iterable[T], most: int, least: int = 0) -> list[T]:
        values = [*values]

        if not values:
            return []

        chosen: list[T] = self._draw(
            st.lists(
                st.sampled_from(values), unique=True, min_size=least, max_size=most
            )
        )
        return chosen

    def often(self) -> bool:
        return self.one_of([True, True, False])

    def seldom(self) -> bool:
        return self.one_of([False, False, False, True])

    # Columns

    def kind_of(self, column: Column) -> Kind:
        return next(k for k in KINDS[self.database] if k.type == column.type)

    def column(self, name: str) -> Column:
        # A table has one check of a name, also while a column replaces another one.
        is_free = name == COLUMNS[0]
        kinds = [kind for kind in self.kinds if is_free or kind.family != "checked"]
        kind = self.one_of(kinds)
        return Column(
            name,
            kind.type,
            nullable=self.often(),
            default=self.default(kind),
            comment=self.one_of(COMMENTS),
        )

    def default(self, kind: Kind) -> str | None:
        return self.one_of([None, *kind.defaults])

    def computed(self, name: str, columns: Iterable[Column]) -> Column | None:
        sources = {
            column.name: f"{self.quoted(column.name)} + 1"
            for column in columns
            if column.type == "sa.Integer()" and column.computed is None
        }

        if not sources:
            return None

        of = self.one_of(sources)
        persisted = (
            True if self.database == "postgresql" else self.one_of([True, False])
        )
        return Column(
            name, "sa.Integer()", computed=sources[of], persisted=persisted, of=(of,)
        )

    def quoted(self, name: str) -> str:
        return f"`{name}`" if self.database == "mariadb" else f'"{name}"'

    def changed(self, column: Column) -> Column:
        if column.computed is not None:
            return column

        kind = self.kind_of(column)
        kinds = [k for k in KINDS[self.database] if k.family == kind.family]
        kind = self.one_of([kind, *kinds])
        default = column.default

        if default not in kind.defaults or self.seldom():
            default = self.default(kind)

        return dataclasses.replace(
            column,
            type=kind.type,
            nullable=self.one_of([column.nullable, True, False]),
            default=default,
            comment=self.one_of([column.comment, *COMMENTS]),
        )

    # Tables

    def primary_key(self) -> tuple[Column, ...]:
        ids = ["sa.Integer()", "sa.Integer()", "sa.BigInteger()", "sa.String(20)"]
        first = Column("id", self.one_of(ids), nullable=False)
        columns = [first]

        if self.seldom():
            columns.append(Column("part", "sa.Integer()", nullable=False))
        elif first.type == "sa.Integer()" and self.database == "postgresql":
            identities = [None, None, "sa.Identity()", "sa.Identity(always=True)"]
            columns = [dataclasses.replace(first, identity=self.one_of(identities))]

        return tuple(columns)

    def new_table(self, name: str) -> Table:
        schemas = [self.schema]

        if self.database == "postgresql":
            schemas.append("other")

        key = self.primary_key()
        return Table(
            name,
            key,
            tuple(column.name for column in key),
            schema=self.one_of(schemas),
        )

    def fill(self, table: Table, others: list[Table], *, is_new: bool) -> Table:
        """Draw the rest of a table: what it had and does not lose, and what is new.

        :param others: The tables that its foreign keys may refer to.
        """
        kept = self.kept_columns(table)

        for name in self.some_of(COLUMNS, 3):
            if all(column.name != name for column in (*kept, *table.columns)):
                kept.append(self.column(name))

        kept += self.new_computed(table, kept)

        keys, kept = self.foreign_keys(table, kept, others, is_new)
        changed = dataclasses.replace(
            table,
            columns=tuple(kept),
            foreign_keys=tuple(keys),
            comment=self.one_of([table.comment, *COMMENTS]),
        )
        return dataclasses.replace(
            changed,
            uniques=self.uniques(changed, table.uniques, is_new),
            checks=self.checks(changed, table.checks, is_new),
            indexes=self.indexes(changed, table.indexes, is_new),
        )

    def is_computed(self, table: Table) -> bool:
        return any(column.computed for column in table.columns)

    def kept_columns(self, table: Table) -> list[Column]:
        """The columns that a table keeps, but those of foreign keys."""
        referring = {name for key in table.foreign_keys for name in key.columns}
        bases = {name for column in table.columns for name in column.of}
        kept: list[Column] = []

        for column in table.columns:
            if column.name in referring:
                continue

            if column.name in table.primary_key:
                kept.append(column)
                continue

            if column.computed is not None:
                if any(c.name in column.of for c in kept) and self.often():
                    kept.append(column)

                continue

            if self.often():
                if column.name not in bases and self.often():
                    column = self.changed(column)

                kept.append(column)

        return kept

    def new_computed(self, table: Table, columns: list[Column]) -> list[Column]:
        if self.is_computed(table) or not self.seldom():
            return []

        computed = self.computed("double", columns[len(table.primary_key) :])
        return [computed] if computed else []

    def foreign_keys(
        self, table: Table, columns: list[Column], others: list[Table], is_new: bool
    ) -> tuple[list[ForeignKey], list[Column]]:
        targets = {other.key: other for other in others}
        keys = []

        for key in table.foreign_keys:
            if key.target in targets and self.often():
                keys.append(key)
                columns += [c for c in table.columns if c.name in key.columns]

        for other in self.some_of(others, 2):
            names = tuple(f"{other.name}_{name}" for name in other.primary_key)

            if any(column.name in names for column in (*columns, *table.columns)):
                continue

            options = ["", "ondelete='CASCADE'", "ondelete='RESTRICT'"]
            options += ["onupdate='CASCADE'"]

            if self.database != "mariadb":
                options += ["deferrable=True, initially='DEFERRED'"]

            name = self.named(f"fk_{table.name}_{other.name}", is_new)
            option = self.one_of(options)
            keys.append(ForeignKey(names, other.key, other.primary_key, name, option))

            for key_name in other.primary_key:
                target = other.column(key_name)
                assert target is not None
                columns.append(
                    Column(
                        f"{other.name}_{key_name}", target.type, nullable=self.often()
                    )
                )

        return keys, columns

    def named(self, name: str, is_new: bool) -> str | None:
        """A name, or that the naming convention or the database gives it."""
        if not self.convention:
            if not is_new and self.avoids("unnamed-constraint"):
                return name

            if self.avoids("unnamed-constraint-removed"):
                return name

        return self.one_of([None, name])

    # Constraints

    def keyable(self, table: Table) -> list[str]:
        return [
            column.name
            for column in table.columns
            if any(k.type == column.type and k.key for k in KINDS[self.database])
        ]

    def free(self, table: Table, is_new: bool) -> list[str]:
        """The columns that a new index may have."""
        fixed: set[str] = set()

        if not is_new and self.avoids("foreign-key-index"):
            fixed = {name for key in table.foreign_keys for name in key.columns}

        return [name for name in self.keyable(table) if name not in fixed]

    def keeps(self, table: Table, columns: Iterable[str], is_new: bool) -> bool:
        """Whether an index on some columns is kept."""
        if not {*columns} <= {*self.keyable(table)}:
            return False

        return self.often() or not {*columns} <= {*self.free(table, is_new)}

    def uniques(
        self, table: Table, before: tuple[Unique, ...], is_new: bool
    ) -> tuple[Unique, ...]:
        uniques = [u for u in before if self.keeps(table, u.columns, is_new)]
        columns = tuple(self.some_of(self.free(table, is_new), 2))

        # PostgreSQL makes one of it and the primary key.
        if columns and {*columns} != {*table.primary_key} and self.seldom():
            if all({*u.columns} != {*columns} for u in (*uniques, *before)):
                name = f"uq_{table.name}_{'_'.join(columns)}_x"
                uniques.append(Unique(columns, self.named(name, is_new)))

        return tuple(uniques)

    def checks(
        self, table: Table, before: tuple[Check, ...], is_new: bool
    ) -> tuple[Check, ...]:
        names = {column.name for column in table.columns}
        checks = [c for c in before if {*c.columns} <= names]
        numbers = [
            c.name
            for c in table.columns
            if c.type in {"sa.Integer()", "sa.BigInteger()"} and c.name in COLUMNS
        ]

        if not is_new and self.avoids("check-changed"):
            numbers = []

        if numbers and self.seldom():
            column = self.one_of(numbers)
            name = f"not_7_{table.name}_{column}"
            checks.append(Check(f"{self.quoted(column)} <> 7", name, (column,)))

        return tuple(checks)

    def indexes(
        self, table: Table, before: tuple[Index, ...], is_new: bool
    ) -> tuple[Index, ...]:
        indexes = [i for i in before if self.keeps(table, i.columns, is_new)]

        for _ in range(self.one_of([0, 1, 2])):
            index = self.index(table, self.free(table, is_new))

            if index and all(
                i.name != index.name and {*i.columns} != {*index.columns}
                for i in (*indexes, *before)
            ):
                indexes.append(index)

        return tuple(indexes)

    def index(self, table: Table, keyable: list[str]) -> Index | None:
        columns = tuple(self.some_of(keyable, 2))

        if not columns:
            return None

        texts = [c for c in columns if (t := table.column(c)) and "String" in t.type]
        name = f"ix_{table.name}_{'_'.join(columns)}_x"
        expressions: tuple[str, ...] = ()
        options = [""]

        if self.database != "mariadb":
            where = f"sa.text('''{self.quoted(columns[0])} IS NOT NULL''')"
            options.append(f"{self.database}_where={where}")
        elif texts:
            options.append(f"mysql_length={{{texts[0]!r}: 5}}")

        if self.database == "postgresql":
            options.append("postgresql_include=['id']")
            options.append("postgresql_with={'fillfactor': 70}")

        # MariaDB has none of these.
        has_expressions = self.database != "mariadb"

        if has_expressions and not self.avoids("expression-index") and self.seldom():
            if texts:
                expressions = (f"sa.func.lower(c({texts[0]!r}))",)
            else:
                expressions = (f"c({columns[0]!r}).desc()",)

        if not expressions and len(columns) == 1 and self.often():
            return Index(columns, self.one_of([None, name]), self.seldom())

        return Index(columns, name, self.seldom(), expressions, self.one_of(options))


@st.composite
def changes(draw: Any, database: Database) -> tuple[Model, Model]:
    """A model, and the same after a change."""
    maker = Maker(draw, database)
    before = _fill(maker, [], maker.some_of(TABLES, 3, least=1))
    kept = [t for t in before.tables if maker.often()]
    names = {table.name for table in before.tables}
    new = [name for name in maker.some_of(TABLES, 2) if name not in names]

    after = _fill(maker, kept, new)

    # Elsewhere, the enum is part of its columns.
    if database == "postgresql" and maker.seldom():
        after = _with_another_color(after)

    return before, after


def _with_another_color(model: Model) -> Model:
    """A model whose enum has one more value."""
    named = "name='color'"

    def changed(column: Column) -> Column:
        type_ = column.type.replace("'red'", "'grey', 'red'")
        return dataclasses.replace(column, type=type_) if named in type_ else column

    return dataclasses.replace(
        model,
        tables=tuple(
            dataclasses.replace(table, columns=tuple(map(changed, table.columns)))
            for table in model.tables
        ),
    )


def _fill(maker: Maker, kept: list[Table], new: list[str]) -> Model:
    tables = [*kept, *(maker.new_table(name) for name in new)]
    filled: list[Table] = []

    for table in tables:
        targets = tables if not maker.avoids("foreign-key-cycle") else [*filled, table]
        filled.append(maker.fill(table, targets, is_new=table not in kept))

    return Model(tuple(filled), maker.convention)
