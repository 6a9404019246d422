"""Values are written and read alike on the drivers that bind on the server."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from async_alembic.migration.environment import Environment

from ...harness import awaited_only
from ..pairs import on_each_driver
from ..pairs import Pair
from ..pairs import plain


class Color(enum.Enum):
    RED = "r"
    BLUE = "b"


NOTES = sa.Table(
    "notes",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer),
    sa.Column("amount", sa.Numeric(10, 2)),
    sa.Column("ratio", sa.Float),
    sa.Column("text", sa.String(100)),
    sa.Column("written", sa.DateTime),
    sa.Column("seen", sa.DateTime(timezone=True)),
    sa.Column("day", sa.Date),
    sa.Column("hour", sa.Time),
    sa.Column("length", sa.Interval),
    sa.Column("data", sa.JSON),
    sa.Column("more", postgresql.JSONB),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("tags", sa.ARRAY(sa.String)),
    sa.Column("key", sa.Uuid),
    sa.Column("done", sa.Boolean),
    sa.Column("color", sa.Enum(Color)),
)


@on_each_driver
def test_rows_of_a_table_are_written_and_read_alike(pair: Pair) -> None:
    """Also where values are not of the types of their columns."""
    typed = {
        "number": 1,
        "amount": decimal.Decimal("1.50"),
        "ratio": 0.25,
        "text": "50% 'x' \\ :y",
        "written": dt.datetime(2020, 1, 2, 3, 4, 5),
        "seen": dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        "day": dt.date(2020, 1, 2),
        "hour": dt.time(3, 4, 5),
        "length": dt.timedelta(days=1, seconds=2),
        "data": {"a": [1, "%", None]},
        "more": ["it's", {"b": "\\"}],
        "raw": b"\0\\'",
        "tags": ["a", "b'c"],
        "key": uuid.UUID(int=5),
        "done": True,
        "color": Color.BLUE,
    }
    loose = {
        "number": "1",
        "amount": "1.50",
        "ratio": "0.25",
        "text": 5,
        "written": "2020-01-02",
        "seen": "2020-01-02 03:04:05+00",
        "day": "2020-01-02",
        "hour": "03:04",
        "length": "1 day",
        "color": "RED",
    }
    empty = dict.fromkeys(typed)

    def work(env: Environment) -> list[Any]:
        connection = env.op.get_bind()
        NOTES.create(connection)
        env.op.bulk_insert(NOTES, [typed, {**empty, **loose}, empty])
        connection.execute(NOTES.insert().values(**typed))
        inserted = connection.execute(NOTES.insert().values(text="x"))
        updated = connection.execute(
            NOTES.update().where(NOTES.c.text.like("50\\%%")).values(number="7")
        )
        some = sa.select(NOTES.c.id).where(NOTES.c.number.in_([7, 8]))
        return [
            inserted.inserted_primary_key,
            updated.rowcount,
            [*connection.scalars(some)],
            [tuple(row) for row in connection.execute(sa.select(NOTES).order_by("id"))],
        ]

    found = pair.run(work)
    assert found[:3] == [(5,), 2, [1, 4]]


@on_each_driver
def test_rows_that_are_streamed_do_not_keep_their_table(pair: Pair) -> None:
    def work(env: Environment) -> list[Any]:
        connection = env.op.get_bind()
        env.op.execute("CREATE TABLE a AS SELECT generate_series(1, 50) AS x")
        found: list[Any] = []

        for number in range(2):
            rows = connection.execute(
                sa.text("SELECT x FROM a ORDER BY x"),
                execution_options={"stream_results": True, "yield_per": 5},
            )
            found += rows.fetchmany(3) if number else rows.all()
            rows.close()
            env.op.execute(f"ALTER TABLE a ADD COLUMN y{number} int")

        return [tuple(row) for row in found]

    assert len(pair.run(work)) == 53


class Asking(sa.types.TypeDecorator[Any]):
    """A type that asks the dialect, as SQLAlchemy's documentation shows it."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, asked: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.asked = asked

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(self.asked)


@on_each_driver
def test_a_type_that_asks_the_dialect_is_the_same(pair: Pair) -> None:
    types: list[sa.types.TypeEngine[Any]] = [
        *(sa.Text(), sa.CHAR(3), sa.String(5), sa.Unicode(5), sa.UnicodeText()),
        *(sa.DateTime(timezone=True), sa.Date(), sa.LargeBinary(), sa.Numeric(5, 2)),
        *(postgresql.TIMESTAMP(precision=2), postgresql.TIME(precision=2)),
        *(postgresql.INTERVAL(precision=2), sa.Interval(), sa.Boolean(), sa.Float(5)),
        *(sa.SmallInteger(), sa.BigInteger(), sa.Integer(), sa.Uuid(), sa.JSON()),
        *(postgresql.JSONB(), postgresql.ARRAY(sa.Text()), sa.Enum("a", name="e")),
        *(
            postgresql.BIT(3),
            postgresql.INET(),
            postgresql.OID(),
            postgresql.TSVECTOR(),
        ),
    ]
    columns: list[sa.Column[Any]] = [
        sa.Column(f"c{n}", Asking(type_)) for n, type_ in enumerate(types)
    ]
    query = (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'a'::regclass AND attnum > 0 ORDER BY attnum"
    )

    def work(env: Environment) -> list[Any]:
        env.op.execute("CREATE TYPE e AS ENUM ('a')")
        env.op.create_table("a", *(column._copy() for column in columns))
        return [tuple(row) for row in env.op.get_bind().execute(sa.text(query))]

    assert len(pair.run(work)) == len(types)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**100), 2**100),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-1e20, max_value=1e20),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.text("'\\%:;$\"-/*\n e", max_size=8),
    st.binary(max_size=20),
    st.datetimes(min_value=dt.datetime(1, 1, 1)),
    st.datetimes(timezones=st.just(dt.UTC), max_value=dt.datetime(9999, 12, 30)),
    st.dates(),
    st.times(),
    st.timedeltas(dt.timedelta(-10_000), dt.timedelta(10_000)),
    st.uuids(),
    st.lists(st.integers(-9, 9)),
    st.lists(st.text("'\\%,{}\"", max_size=3), min_size=1),
)


@awaited_only
@on_each_driver
@pytest.mark.parametrize("setting", ["on", "off"])
def test_any_value_is_what_it_is_with_psycopg2(setting: str, pair: Pair) -> None:
    """With and without backslashes that escape: nothing may get out of its quotes."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(VALUES, min_size=1, max_size=5))
    def check(values: list[Any]) -> None:
        names = [f"v{number}" for number in range(len(values))]
        query = ", ".join(f":{name}" for name in names)

        def work(env: Environment) -> list[Any]:
            connection = env.op.get_bind()
            connection.execute(sa.text(f"SET standard_conforming_strings = {setting}"))
            connection.execute(sa.text("SET escape_string_warning = off"))
            row = connection.execute(
                sa.text(f"SELECT {query}"), dict(zip(names, values, strict=True))
            ).one()
            return [plain(value) for value in row]

        pair.run(work)

    check()
