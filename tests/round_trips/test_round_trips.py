"""Round trips: what autogenerate writes leads to the models, and back to nothing.

After each upgrade, the database must also be what ``MetaData.create_all()`` makes, as
``compare_metadata()`` is empty as well where Alembic has overlooked something.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..harness import Caller
from ..harness import ONE_OF_EACH_KIND
from .known import column
from .known import Fault
from .known import KNOWN
from .known import model
from .known import table
from .models import Column
from .models import ForeignKey
from .models import Index
from .models import Model
from .models import Table
from .strategies import changes
from .trips import Trip

#: How many models each driver gets; without the variable, the same ones each time. With
#: several hundred, more is found.
ROUND_TRIPS = os.environ.get("ROUND_TRIPS")
BLOCKING = [backend for backend in ONE_OF_EACH_KIND if not backend.is_async]
PAGE = Path(__file__).parents[2] / "docs/explanation/autogenerate.md"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MySQL, MariaDB"}


@pytest.fixture
def trip(
    backend: Backend, runner: asyncio.Runner, engines: EngineFactory, tmp_path: Path
) -> Trip:
    return Trip(backend, Caller(runner, backend.is_async), engines, tmp_path)


@on(ONE_OF_EACH_KIND)
@settings(
    max_examples=int(ROUND_TRIPS or 6),
    derandomize=ROUND_TRIPS is None,
    deadline=None,
    suppress_health_check=[*HealthCheck],
)
@given(data=st.data())
def test_models_are_migrated_there_and_back_to_nothing(
    backend: Backend, trip: Trip, data: st.DataObject
) -> None:
    before, after = data.draw(changes(backend.database))
    trip.run(before, after)


class TestWhatAlembicGetsWrong:
    @pytest.mark.parametrize(
        ("backend", "fault"),
        [
            pytest.param(backend, fault, id=f"{backend}-{name}")
            for backend in BLOCKING
            for name, fault in KNOWN.items()
            if backend.database in fault.databases
        ],
        indirect=["backend"],
    )
    def test_it_still_does(self, trip: Trip, fault: Fault) -> None:
        """If this fails, Alembic has mended it: remove it from ``KNOWN``."""
        with pytest.raises(Exception) as caught:
            trip.run(fault.before, fault.after)

        message = f"{caught.value} {caught.value.__cause__}"
        assert re.search(fault.error, message), message

    def test_the_documentation_lists_it(self) -> None:
        rows = re.findall(
            r"^\| (.+?) \| (.+?) \| (.+?) \| .+ \|$", PAGE.read_text(), re.M
        )
        listed = {row[0]: row[1:] for row in rows[1:] if "---" not in row[0]}
        assert listed == {
            fault.reason: (
                ", ".join(NAMES[database] for database in fault.databases),
                link(fault.issue) if fault.issue else "not reported",
            )
            for fault in KNOWN.values()
        }


def link(issue: str) -> str:
    project, number = issue.split()
    url = f"https://github.com/sqlalchemy/{project}/issues/{number}"
    name = "" if project == "alembic" else f"{project} "
    return f"[{name}#{number}]({url})"


_id = ("id",)
#: Types whose lengths, precisions or values differ.
TYPES: dict[str, list[tuple[str, ...]]] = {
    "sqlite": [
        ("sa.String()", "sa.String(5)"),
        ("sa.Numeric()", "sa.Numeric(10, 2)", "sa.Numeric(10)"),
    ],
    "postgresql": [
        ("sa.String()", "sa.String(5)", "sa.Unicode(6)"),
        ("sa.CHAR()", "sa.CHAR(5)"),
        ("pg.ARRAY(sa.String())", "pg.ARRAY(sa.String(5))"),
        ("sa.Numeric()", "sa.Numeric(10, 2)", "sa.Numeric(10)"),
        ("sa.Float(10)", "sa.Float(53)"),
        ("sa.REAL()", "sa.Float()"),
        ("sa.DateTime()", "pg.TIMESTAMP(precision=3)", "pg.TIMESTAMP(precision=0)"),
        ("sa.Time()", "pg.TIME(precision=3)"),
        (
            "sa.Interval()",
            "sa.Interval(second_precision=3)",
            "pg.INTERVAL(fields='DAY')",
        ),
    ],
    "mariadb": [
        ("sa.CHAR()", "sa.CHAR(5)"),
        ("sa.Numeric()", "sa.Numeric(10, 2)", "my.NUMERIC(10, 2, unsigned=True)"),
        ("sa.Float(10)", "sa.Float(53)"),
        ("sa.REAL()", "sa.Float()"),
        ("sa.DateTime()", "my.DATETIME(fsp=6)", "my.DATETIME(fsp=3)"),
        ("sa.Time()", "my.TIME(fsp=3)"),
        ("sa.Integer()", "my.INTEGER(unsigned=True)"),
        ("sa.VARBINARY(5)", "sa.VARBINARY(6)"),
        ("my.SET('a', 'b')", "my.SET('a', 'c', 'b')", "my.SET('b', 'a')"),
        ("sa.Enum('a', 'b')", "sa.Enum('a', 'c', 'b')", "sa.Enum('b', 'a')"),
    ],
}
_parent = table("a")
_other = table("c")
_child = table(
    "b",
    column("a_id"),
    column("c_id"),
    foreign_keys=(ForeignKey(("a_id",), "a", _id), ForeignKey(("c_id",), "c", _id)),
    indexes=(Index(("a_id",)), Index(("c_id",), unique=True)),
)
_double = Column("y", "sa.Integer()", computed="x + x", persisted=True, of=("x",))
_computed = table("d", column("x"), _double)


class TestWhatIsPutRight:
    @on(BLOCKING)
    @pytest.mark.parametrize(
        "after",
        [
            pytest.param([], id="all_dropped"),
            pytest.param([table("b"), _other, table("d")], id="some_dropped"),
        ],
    )
    def test_what_others_depend_on_is_dropped_last(
        self, trip: Trip, after: list[Table]
    ) -> None:
        trip.run(model(_parent, _other, _child, _computed), model(*after))

    @on(ONE_OF_EACH_KIND)
    def test_a_type_is_changed_before_a_column_is_computed_from_it(
        self, trip: Trip
    ) -> None:
        small = column("x", "sa.SmallInteger()")
        double = column("y", computed="x + x", persisted=True, of=("x",))
        trip.run(model(table("a", small)), model(table("a", column("x"), double)))

    @on(ONE_OF_EACH_KIND)
    def test_models_may_name_the_default_schema(self, trip: Trip) -> None:
        """Alembic drops their foreign keys, and adds them again, in each revision."""
        schema = trip.default_schema
        key = ForeignKey(("a_id",), f"{schema}.a", _id, options="ondelete='CASCADE'")
        enum = f"sa.Enum('red', 'green', name='color', schema={schema!r})"
        parent = table("a", column("color", enum), schema=schema)
        # MariaDB would make one, and keep it.
        index = Index(("a_id",))
        child = table("b", column("a_id"), schema=schema, indexes=(index,))
        referring = replace(child, foreign_keys=(key,))
        trip.run(model(parent, referring), model(parent, child))
        trip.run(model(parent, child), model(parent, referring))
        parent = table("a", schema=schema)
        trip.run(model(parent, referring), model(table("b", schema=schema)))

    @on(BLOCKING)
    def test_defaults_are_compared_by_their_values(self, trip: Trip) -> None:
        """Alembic changes some again and again, and fails with others."""
        trip.run(defaults("a\\\\b", "[]"), defaults("it\\'s", "{}"))

    @pytest.mark.parametrize(
        ("backend", "types"),
        [
            pytest.param(backend, types, id=f"{backend}-{'-'.join(types)}")
            for backend in BLOCKING
            for types in TYPES[backend.database]
        ],
        indirect=["backend"],
    )
    def test_parameters_of_types_are_compared(
        self, trip: Trip, types: tuple[str, ...]
    ) -> None:
        """Alembic does so only where both types have the same number of them."""
        models = [model(table("a", column("x", type_))) for type_ in types]

        for before, after in itertools.pairwise([*models, models[0]]):
            trip.run(before, after)

    @on([b for b in ONE_OF_EACH_KIND if b.database == "postgresql"])
    def test_identities_are_changed(self, trip: Trip) -> None:
        """Alembic adds them once more, and overlooks an option that goes."""
        models = [model(identified(options)) for options in IDENTITIES]

        for before, after in itertools.pairwise(models):
            trip.run(before, after)

    @on([b for b in ONE_OF_EACH_KIND if b.database == "postgresql"])
    def test_an_identity_comes_and_goes(self, trip: Trip) -> None:
        """The server allows no NULL and no other default beside it."""
        for other in IDENTITY_LESS:
            columns = replace(_x, nullable=False, identity="sa.Identity()"), other
            models = [model(table("a", item)) for item in columns]
            trip.run(*models)
            trip.run(*models[::-1])

    @on([b for b in ONE_OF_EACH_KIND if b.database != "postgresql"])
    def test_a_key_changes_its_type_with_what_refers_to_it(self, trip: Trip) -> None:
        """MariaDB refuses it as long as the foreign key is there."""
        trip.run(*(keyed(f"sa.{type_}()") for type_ in ("Integer", "BigInteger")))

    @on([b for b in BLOCKING if b.database != "postgresql"])
    def test_a_key_changes_its_type_and_what_refers_to_it_goes(
        self, trip: Trip
    ) -> None:
        after = keyed("sa.BigInteger()").tables
        trip.run(keyed("sa.Integer()"), model(after[0]))
        trip.run(keyed("sa.Integer()"), model(after[0], table("b")))


def keyed(type_: str) -> Model:
    """A table with a key, one that refers to it, and one to itself."""
    key = ForeignKey(("a_id",), "a", _id, options="ondelete='CASCADE'")
    columns = column("id", type_, nullable=False), column("a_id", type_)
    parent = Table("a", columns, _id)
    # MariaDB would make indexes, and keep them.
    child = table("b", column("a_id", type_), indexes=(Index(("a_id",)),))
    own = replace(parent, indexes=(Index(("a_id",)),), foreign_keys=(key,))
    return model(own, replace(child, foreign_keys=(key,)))


#: Options of identities; ``None`` for a column without one. Each can follow the one
#: before with the value that the sequence is at.
IDENTITIES: list[str | None]
IDENTITIES = ["", "start=10", "start=10, always=True, increment=5", "start=10", ""]
IDENTITIES += [None, "minvalue=-5, cycle=True, cache=3", "increment=-1, maxvalue=-1"]

_x = column("x")
#: What a column is before it gets an identity, or after it.
IDENTITY_LESS = [
    _x,
    replace(_x, nullable=False, default="'3'"),
    column("x", "sa.BigInteger()", default="'3'", comment="a number"),
]


def identified(options: str | None) -> Table:
    identity = None if options is None else f"sa.Identity({options})"
    number = column("number", nullable=False)
    return table("a", replace(number, identity=identity))


def defaults(text: str, json: str) -> Model:
    json_text = f"sa.text(\"'{json}'\")"
    return model(
        table(
            "a",
            column("text", "sa.String(20)", default=f"'{text}'"),
            column("empty", "sa.String(20)", default="''"),
            column("json", "sa.JSON()", default=f"'{json}'"),
            column("json_text", "sa.JSON()", default=json_text),
            column("now", "sa.DateTime()", default="sa.func.now()"),
            column("yes", "sa.Boolean()", default="sa.true()"),
            column("no", "sa.Boolean()", default="sa.false()"),
            column("price", "sa.Numeric(12, 4)", default="'1.5'"),
            column("day", "sa.Date()", default="'2020-01-31'"),
        )
    )
