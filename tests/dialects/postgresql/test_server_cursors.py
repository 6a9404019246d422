"""``stream_results`` and ``yield_per`` stream, as on psycopg2."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from async_alembic.migration.environment import Environment

from ...backends import by_id
from ...backends import on
from ..pairs import on_each_driver
from ..pairs import Pair
from ..pairs import plain

OPEN = sa.text(
    "SELECT count(*) FROM pg_cursors WHERE name LIKE 'c\\_%' OR name LIKE 'async\\_%'"
)


class Streaming:
    """A connection that streams, and a table of 50 rows."""

    def __init__(self, env: Environment) -> None:
        self.op = env.op
        self.connection = env.op.get_bind()
        self.query("CREATE TABLE a AS SELECT g AS x FROM generate_series(1, 50) g")

    def query(self, statement: str, **parameters: Any) -> Any:
        return self.connection.execute(sa.text(statement), parameters)

    def stream(self, statement: str, **parameters: Any) -> Any:
        options = {"stream_results": True, "yield_per": 7}
        return self.connection.execute(
            sa.text(statement), parameters, execution_options=options
        )

    def count_open(self) -> Any:
        return self.connection.scalar(OPEN)


@pytest.fixture
def run(pair: Pair) -> Callable[[Callable[[Streaming], Any]], Any]:
    """Does something on both drivers. What it returns must be the same."""
    return lambda work: pair.run(lambda env: work(Streaming(env)))


@on_each_driver
def test_rows_come_in_portions(run: Any) -> None:
    def work(db: Streaming) -> list[Any]:
        db.query("CREATE SEQUENCE s")
        rows = db.stream("SELECT nextval('s') FROM generate_series(1, 1000)")
        found = [rows.fetchone(), rows.fetchmany(3), db.count_open()]
        found.append(db.query("SELECT last_value FROM s").scalar())
        return [*found, len(rows.all()), db.count_open()]

    _, _, is_open, read, others, is_open_at_end = run(work)
    assert (is_open, others, is_open_at_end) == (1, 996, 0)
    assert read < 50


@on_each_driver
def test_streamed_rows_are_the_same(run: Any) -> None:
    def work(db: Streaming) -> list[list[Any]]:
        day, tomorrow = dt.timedelta(1), "%"
        results = [
            db.stream("SELECT x FROM a"),
            db.stream("SELECT CONCAT(:p, x) FROM a WHERE x < :x", p="q", x=3),
            db.stream("SELECT CAST(:b AS bytea), '{}'::json FROM a", b=b"xy"),
            db.stream("SELECT now() > now() - :d, '%', :p", d=day, p=tomorrow),
            db.stream("SELECT x FROM a WHERE x IN :x FOR UPDATE", x=(1, 2)),
            db.stream("(SELECT 1) UNION ALL (SELECT 2); -- end"),
            db.stream("SELECT 1 FROM a WHERE false"),
            db.stream("WITH w AS (SELECT x FROM a) SELECT x FROM w"),
            db.stream("VALUES (1), (2)"),
            db.stream("TABLE a"),
        ]
        return [[tuple(map(plain, row)) for row in result] for result in results]

    assert len(run(work)[0]) == 50


@on_each_driver
def test_rows_are_changed_while_they_are_read(run: Any) -> None:
    def work(db: Streaming) -> list[Any]:
        for row in db.stream("SELECT x FROM a"):
            db.query("UPDATE a SET x = x + 100 WHERE x = :x", x=row.x)

        # No cursor is left open, which would be in the way.
        db.op.add_column("a", sa.Column("n", sa.Integer))
        db.stream("SELECT x FROM a").close()
        db.op.drop_column("a", "n")
        return [tuple(row) for row in db.query("SELECT min(x), max(x) FROM a")]

    assert run(work) == [(101, 150)]


@on_each_driver
def test_an_error_or_a_rollback_ends_the_stream(run: Any) -> None:
    def work(db: Streaming) -> list[Any]:
        found: list[Any] = []

        with pytest.raises(DBAPIError) as caught, db.connection.begin_nested():
            found.extend(row[0] for row in db.stream("SELECT 10 / (x - 30) FROM a"))

        rows = db.stream("SELECT x FROM a")
        found += [type(caught.value).__name__, rows.fetchone()]
        db.connection.rollback()
        rows.close()
        return [*found, db.query("SELECT 1").scalar()]

    assert run(work)[-1] == 1


@on([by_id("postgresql-asyncpg")])
def test_what_cannot_be_streamed_is_not(pair: Pair) -> None:
    """psycopg2 fails with these, as the option makes a cursor of everything."""

    def work(env: Environment) -> list[Any]:
        db = Streaming(env)
        rows = [{"x": 1000}, {"x": 1001}]
        options = {"stream_results": True}
        statement = sa.text("INSERT INTO a VALUES (:x)")
        db.connection.execute(statement, rows, execution_options=options)
        insert = "INSERT INTO a VALUES (:x) RETURNING x"
        return [
            db.stream("UPDATE a SET x = x").rowcount,
            db.stream(insert, x=51).scalar(),
            db.stream(f"WITH i AS ({insert}) SELECT x FROM i", x=52).scalar(),
            db.stream("SELECT 1; SELECT 2").scalar(),
            db.stream("SET LOCAL my.x = '1'; SELECT :b", b=b"x").scalar(),
            db.stream("SHOW my.x").scalar(),
        ]

    found = pair.caller(pair.alembics[1], "run", work)
    assert found == [52, 51, 52, 2, b"x", "1"]
