"""Changing the type of a column keeps its values, or is refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import tempfile
import uuid
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from async_alembic import Alembic
from async_alembic import MigrationError
from async_alembic import SyncAlembic
from async_alembic.errors import BatchError

from ...harness import awaited_only
from ...harness import make_app
from ...twins import on_sqlite
from ...twins import Twin

WITHOUT_FRACTION: Any = sqlite.DATETIME
NOON = "2024-01-02 12:30:15.000000"
#: The old type, what is stored, the new type, and what is stored then.
CONVERTED = [
    (sa.Date(), "2024-01-02", sa.DateTime(), "2024-01-02 00:00:00.000000"),
    (sa.DateTime(), NOON, sa.Date(), "2024-01-02"),
    (sa.DateTime(), NOON, sa.Time(), "12:30:15.000000"),
    (sa.DateTime(), NOON, sa.Interval(), NOON),
    (sa.DateTime(), NOON, sa.String(), NOON),
    (sa.Text(), NOON, sa.DateTime(), NOON),
    (sa.Text(), "2024-01-02T12:30", sa.DateTime(), "2024-01-02 12:30:00.000000"),
    (sa.Text(), "2024-01-02 12:30:15.5", sa.DateTime(), "2024-01-02 12:30:15.500000"),
    (sa.Text(), "2024-01-02", sa.DateTime(), "2024-01-02 00:00:00.000000"),
    (sa.Text(), "2024-01-02", sa.Date(), "2024-01-02"),
    (sa.Text(), "12:30:15", sa.Time(), "12:30:15.000000"),
    (sa.Text(), "true", sa.Boolean(), 1),
    (sa.Text(), "No", sa.Boolean(), 0),
    (sa.Text(), "12", sa.Integer(), 12),
    (sa.Text(), "1e3", sa.Integer(), 1000),
    (sa.Text(), "12.50", sa.Numeric(10, 2), 12.5),
    (sa.Text(), "9007199254740993", sa.Numeric(20), 9007199254740993),
    (sa.Text(), "0.1234567890123456789", sa.Float(), 0.1234567890123456789),
    (sa.Text(), '{"a": 1}', sa.JSON(), '{"a": 1}'),
    (
        sa.Text(),
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        sa.Uuid(),
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
    ),
    (sa.LargeBinary(), b"\xa0" * 16, sa.Uuid(), "a0" * 16),
    (sa.Text(), "a", sa.LargeBinary(), b"a"),
    (sa.Float(), 0.1 + 0.2, sa.Text(), "0.30000000000000004"),
    (sa.Float(), 0.1, sa.Text(), "0.1"),
    (sa.Float(), 2.5, sa.Integer(), 2),
    (sa.Integer(), 5, sa.Text(), "5"),
    (sa.Integer(), 5, sa.Boolean(), 5),
    (sa.Integer(), 5, sa.JSON(), 5),
    # Models can store them in another format, which is not known here.
    (
        sa.Date(),
        "2024-01-02",
        WITHOUT_FRACTION(truncate_microseconds=True),
        "2024-01-02",
    ),
]
REFUSED = [
    (sa.Text(), "soon", sa.DateTime()),
    (sa.Text(), "2024-02-30", sa.DateTime()),
    (sa.Text(), "2024-02-30 12:00:00", sa.DateTime()),
    (sa.Text(), "2024-01-02T12:30:15Z", sa.DateTime()),
    (sa.Text(), "2024", sa.Date()),
    (sa.Text(), "25:00", sa.Time()),
    (sa.Text(), "12x", sa.Integer()),
    (sa.Text(), "12.5", sa.Integer()),
    (sa.Text(), "maybe", sa.Boolean()),
    (sa.Text(), "", sa.Float()),
    (sa.Text(), "1234567890.1234567890", sa.Numeric(20, 10)),
    (sa.Text(), "{", sa.JSON()),
    (sa.Text(), "a0eebc99", sa.Uuid()),
    (sa.Integer(), 2024, sa.DateTime()),
    (sa.Integer(), 1, sa.Uuid()),
    (sa.Date(), "2024-01-02", sa.Time()),
    (sa.Date(), "2024-01-02", sa.Integer()),
    (sa.DateTime(), NOON, sa.Numeric()),
    (sa.Interval(), "1970-01-02 00:00:00.000000", sa.Integer()),
    (sa.Time(), "12:30:15.000000", sa.Boolean()),
]


def table(type_: Any) -> sa.Table:
    columns = sa.Column("id", sa.Integer, primary_key=True), sa.Column("c", type_)
    return sa.Table("t", sa.MetaData(), *columns)


class Column:
    """A table whose column changes its type."""

    def __init__(self, root: Path, type_: Any) -> None:
        self.type = type_
        self.engine = sa.create_engine(f"sqlite:///{root}/t.db")
        self.app = make_app("flask", root)
        self.alembic = SyncAlembic(
            self.app, metadatas=sa.MetaData(), engines=lambda: self.engine
        )
        table(type_).create(self.engine)

    def insert(self, value: Any) -> None:
        """Insert a value as it is stored, and NULL."""
        with self.engine.begin() as connection:
            query = "INSERT INTO t (c) VALUES (?), (NULL)"
            connection.exec_driver_sql(query, (value,))

    def stored(self) -> Any:
        with self.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT c FROM t ORDER BY id")
            value, null = found.scalars()

        assert null is None
        return value

    def change(self, new: Any, by_copy: bool = False) -> None:
        copied = {"copy_from": table(self.type)} if by_copy else {}

        def run(env: Any) -> None:
            with env.op.batch_alter_table("t", **copied) as batch:
                batch.alter_column("c", type_=new, existing_type=self.type)

        self.alembic.run(run)


@pytest.fixture
def column(tmp_path: Path) -> Iterator[Callable[[Any], Column]]:
    def make(type_: Any) -> Column:
        made = Column(tmp_path, type_)
        stack.callback(made.engine.dispose)
        return made

    with contextlib.ExitStack() as stack:
        yield make


by_copy = pytest.mark.parametrize("by_copy", [False, True], ids=["reflected", "given"])


@by_copy
@pytest.mark.parametrize(("old", "value", "new", "expected"), CONVERTED)
def test_a_value_is_converted_to_another_type(
    old: Any, value: Any, new: Any, expected: Any, by_copy: bool, column: Any
) -> None:
    """``CAST`` makes an integer of a date."""
    made = column(old)
    made.insert(value)
    made.change(new, by_copy)
    found = made.stored()
    assert (found, type(found)) == (expected, type(expected))


@by_copy
@pytest.mark.parametrize(("old", "value", "new"), REFUSED)
def test_a_value_that_does_not_fit_a_type_is_kept(
    old: Any, value: Any, new: Any, by_copy: bool, column: Any
) -> None:
    made = column(old)
    made.insert(value)

    with pytest.raises(BatchError) as e:
        made.change(new, by_copy)

    type_ = new.compile(dialect=made.engine.dialect)
    assert str(e.value) == (
        f"The batch change of table 't' is not possible: the value {value!r} of column"
        f" 'c' does not fit {type_}. Correct it with op.execute() before the batch."
    )
    assert made.stored() == value


#: Types, and values that models have.
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    sa.Date(): st.dates(),
    sa.DateTime(): st.datetimes(),
    sa.Time(): st.times(),
    sa.Interval(): st.timedeltas(dt.timedelta(0), dt.timedelta(days=10**5)),
    sa.Integer(): st.integers(-(2**40), 2**40),
    sa.Boolean(): st.booleans(),
    sa.Float(): st.floats(-1e9, 1e9),
    sa.Numeric(14, 4): st.decimals(-(10**9), 10**9, places=4),
    sa.Uuid(): st.uuids(),
    sa.LargeBinary(): st.text(max_size=3).map(str.encode) | st.just(b"x" * 16),
    sa.JSON(): st.none() | st.integers(-9, 9) | st.lists(st.text("a", max_size=2)),
    sa.String(): (
        st.text("019-:. Tex", max_size=20)
        | (st.dates() | st.times() | st.datetimes()).map(lambda x: x.isoformat())
        | (st.integers() | st.floats() | st.booleans() | st.uuids()).map(str)
    ),
}
PAIRS = [(old, new) for old in VALUES for new in VALUES if old is not new]


@settings(deadline=None, max_examples=250, derandomize=True)
@given(data=st.data(), pair=st.sampled_from(PAIRS))
def test_models_read_each_value_of_a_type_that_has_changed(
    data: st.DataObject, pair: tuple[Any, Any]
) -> None:
    """Or the change is refused, and they read it as before. They also find it."""
    old, new = pair
    value = data.draw(VALUES[old])

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        made = Column(Path(folder), old)
        stack.callback(made.engine.dispose)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", sa.exc.SAWarning)

        with made.engine.begin() as connection:
            connection.execute(table(old).insert(), [{"c": value}])

        before = read(made, old)

        try:
            made.change(new)
        except BatchError:
            assert read(made, old) == before
            return

        found = read(made, new)
        # Other texts and bytes are not those of a model.
        assert found is None or isinstance(found, TYPES[type(new)]), found


TYPES: dict[Any, Any] = {
    sa.Date: dt.date,
    sa.DateTime: dt.datetime,
    sa.Time: dt.time,
    sa.Interval: dt.timedelta,
    sa.Integer: int,
    sa.Boolean: bool,
    sa.Float: (int, float),
    sa.Numeric: Decimal,
    sa.Uuid: uuid.UUID,
    sa.LargeBinary: bytes,
    sa.JSON: object,
    sa.String: str,
}


def read(made: Column, type_: Any) -> Any:
    """Read the value, and find it by that."""
    found = table(type_)

    with made.engine.connect() as connection:
        value = connection.execute(sa.select(found.c.c)).scalar()

        # Any number but 0 is read as true, and kept.
        if value is not None and not isinstance(
            type_, (sa.Numeric, sa.JSON, sa.Boolean)
        ):
            query = sa.select(sa.func.count()).where(found.c.c == value)
            assert connection.execute(query).scalar() == 1, value

        return value


@on_sqlite
def test_dates_survive_generated_revisions(twin: Twin) -> None:
    """Up and down."""
    caller, engine = twin.caller, twin.engine
    shells = [
        Alembic(
            twin.app,
            metadatas=table(type_).metadata,
            engines=engine,
            command_name=f"db{number}",
        )
        for number, type_ in enumerate((sa.Date(), sa.DateTime()))
    ]
    caller(shells[0], "revision", "first")
    caller(shells[0], "upgrade")
    caller.execute(engine, "INSERT INTO t VALUES (1, '2024-01-02'), (2, NULL)")
    caller(shells[1], "revision", "second")
    caller(shells[1], "upgrade")
    query = "SELECT c FROM t ORDER BY id"
    assert caller.query(engine, query) == [("2024-01-02 00:00:00.000000",), (None,)]
    caller(shells[1], "downgrade")
    assert caller.query(engine, query) == [("2024-01-02",), (None,)]


@on_sqlite
@awaited_only
def test_a_type_of_a_column_in_a_script_is_converted(twin: Twin) -> None:
    """Without a connection, what does not fit stays as it is."""
    twin.history(
        "op.create_table('t', sa.Column('c', sa.Text))\n"
        'op.execute(\'INSERT INTO t VALUES ("2024-01-02"), ("soon")\')',
        "old = sa.Table('t', sa.MetaData(), sa.Column('c', sa.Text))\n"
        "with op.batch_alter_table('t', copy_from=old) as batch:\n"
        "    batch.alter_column('c', type_=sa.DateTime(), existing_type=sa.Text())",
    )
    script = twin.caller(twin.alembic, "upgrade_sql")

    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(
            script["default"] if isinstance(script, dict) else script
        )
        rows = connection.execute("SELECT c FROM t").fetchall()

    assert rows == [("2024-01-02 00:00:00.000000",), ("soon",)]


@on_sqlite
@awaited_only
def test_the_row_in_the_way_is_named(twin: Twin) -> None:
    twin.history(
        "op.create_table('t', sa.Column('c', sa.Text))\n"
        "op.execute(\"INSERT INTO t VALUES ('soon')\")",
        "with op.batch_alter_table('t') as batch:\n"
        "    batch.alter_column('c', type_=sa.Date())",
    )

    with pytest.raises(MigrationError, match="the value 'soon' of column 'c'"):
        twin.upgrade()
