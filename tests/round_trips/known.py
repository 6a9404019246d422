"""What Alembic's autogenerate gets wrong, each with the smallest models that show it.

None of this is generated in the round trips. What is here is in the table of
``docs/explanation/autogenerate.md`` as well, and a test makes sure that each is still
so: once Alembic has mended one, it can be removed here, and is generated.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

from .models import Check
from .models import Column
from .models import Database
from .models import ForeignKey
from .models import Index
from .models import Model
from .models import Table
from .models import Unique

EVERYWHERE: tuple[Database, ...] = ("sqlite", "postgresql", "mariadb")


@dataclass(frozen=True)
class Fault:
    """Something that Alembic gets wrong.

    :param reason: What goes wrong.
    :param issue: Its number, ``"alembic 886"``; None if it is not reported.
    :param error: What the error of the round trip says.
    """

    reason: str
    databases: tuple[Database, ...]
    issue: str | None
    before: Model
    after: Model
    error: str


def avoids(name: str, database: Database) -> bool:
    """Whether something is not generated for a database."""
    return database in KNOWN[name].databases


def column(name: str, type: str = "sa.Integer()", **options: object) -> Column:
    return replace(Column(name, type), **options)  # type: ignore[arg-type]


_id = column("id", nullable=False)


def table(name: str, *columns: Column, **options: object) -> Table:
    made = Table(name, (_id, *columns), ("id",))
    return replace(made, **options)  # type: ignore[arg-type]


def model(*tables: Table, convention: bool = True) -> Model:
    return Model(tables, convention)


_x, _y = column("x"), column("y")
_text = column("x", "sa.String(20)")
_checked = (
    "sa.Enum('a', 'bc', name='checked', native_enum=False, create_constraint=True)"
)
_more = column("y", computed="x + 1", persisted=True, of=("x",))
_parent = table("parent")
_child = table(
    "child",
    column("parent_id"),
    foreign_keys=(ForeignKey(("parent_id",), "parent", ("id",)),),
)
_indexed = replace(_child, indexes=(Index(("parent_id",)),))
_positive = (Check("x > 0", "positive", ("x",)),)
_lower = (Index(("x",), "ix_lower", expressions=("sa.func.lower(c('x'))",)),)


def _where(number: int) -> tuple[Index, ...]:
    where = f"sa.text('x > {number}')"
    options = f"sqlite_where={where}, postgresql_where={where}"
    return (Index(("x",), "ix_partial", options=options),)


KNOWN = {
    "check-changed": Fault(
        "a check constraint that is added or removed is overlooked",
        EVERYWHERE,
        "alembic 508",
        model(table("a", _x)),
        model(table("a", _x, checks=_positive)),
        "overlooked",
    ),
    "primary-key": Fault(
        "other columns or another name of a primary key are overlooked",
        EVERYWHERE,
        "alembic 993",
        model(table("a", column("x", nullable=False))),
        model(table("a", column("x", nullable=False), primary_key=("id", "x"))),
        "overlooked",
    ),
    "unnamed-constraint": Fault(
        "a constraint without a name is added, and can't be removed again",
        ("postgresql", "mariadb"),
        "alembic 588",
        model(table("a", _x), convention=False),
        model(table("a", _x, uniques=(Unique(("x",)),)), convention=False),
        "unnamed constraint|must have a name|has no name|NoneType",
    ),
    "unnamed-constraint-removed": Fault(
        "the removal of a constraint without a name is overlooked",
        ("sqlite",),
        None,
        model(table("a", _x, uniques=(Unique(("x",)),)), convention=False),
        model(table("a", _x), convention=False),
        "overlooked",
    ),
    "foreign-key-cycle": Fault(
        "tables that refer to each other are not sorted, and a key is lost",
        EVERYWHERE,
        "alembic 326",
        model(),
        model(
            table(
                "parent",
                column("child_id"),
                foreign_keys=(ForeignKey(("child_id",), "child", ("id",)),),
            ),
            _child,
        ),
        "cycles",
    ),
    "foreign-key-index": Fault(
        "an index that a foreign key needs is dropped while the key is there",
        ("mariadb",),
        None,
        model(_parent, _child),
        model(_parent, _indexed),
        "needed in a foreign key constraint",
    ),
    "foreign-key-index-left": Fault(
        "a foreign key is dropped, and the index that the server made for it stays",
        ("mariadb",),
        None,
        model(_parent, _child),
        model(_parent, table("child", column("parent_id"))),
        "still different",
    ),
    "index-options": Fault(
        "another condition (WHERE) of an index is overlooked",
        ("sqlite",),
        "alembic 750",
        model(table("a", _x, indexes=_where(1))),
        model(table("a", _x, indexes=_where(2))),
        "overlooked",
    ),
    "expression-index": Fault(
        "an index on an expression is not seen, so that its changes are overlooked",
        ("sqlite",),
        "sqlalchemy 4431",
        model(table("a", _text, indexes=_lower)),
        model(table("a", column("x", "sa.String(30)"), indexes=_lower)),
        "expression-based index",
    ),
    "computed-base": Fault(
        "the type of a column that another is computed from can't be changed",
        ("postgresql",),
        None,
        model(table("a", _x, _more)),
        model(table("a", column("x", "sa.BigInteger()"), _more)),
        "used by a generated column",
    ),
    "collation": Fault(
        "another collation of a text is overlooked",
        ("mariadb",),
        None,
        model(table("a", column("x", "sa.String(30)"))),
        model(table("a", column("x", "my.VARCHAR(30, collation='utf8mb4_bin')"))),
        "overlooked",
    ),
    "identity": Fault(
        "a column of type SERIAL becomes an Identity, and its default is still there",
        ("postgresql",),
        None,
        model(table("a")),
        model(Table("a", (replace(_id, identity="sa.Identity()"),), ("id",))),
        "already has a default value",
    ),
    "autoincrement": Fault(
        "another `autoincrement` of an integer key is overlooked",
        ("postgresql", "mariadb"),
        None,
        model(Table("a", (replace(_id, autoincrement=False),), ("id",))),
        model(table("a")),
        "overlooked",
    ),
    "type-cast": Fault(
        "a type is changed without USING where the server can't cast by itself",
        ("postgresql",),
        "alembic 963",
        model(table("a", _text)),
        model(table("a", _x)),
        "cannot be cast automatically",
    ),
    "schema": Fault(
        "a schema is not created for the tables that are in it",
        ("postgresql",),
        None,
        model(),
        model(table("a", schema="not_there")),
        'schema "not_there" does not exist',
    ),
}
