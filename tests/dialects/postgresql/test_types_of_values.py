"""Values of types that psycopg2 does not know, as results and as parameters."""

from __future__ import annotations

import re
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from async_alembic import Alembic
from async_alembic.migration.environment import Environment

from ...backends import Backend
from ...backends import EngineFactory
from ...backends import on
from ...backends import POSTGRESQL_BACKENDS
from ...harness import awaited_only
from ...harness import Caller
from ...harness import make_app
from ..pairs import on_each_driver
from ..pairs import Pair

PAGE = Path(__file__).parents[3] / "docs/explanation/psycopg2-histories.md"
TYPES = (
    "CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS (a int, b text);"
    " CREATE DOMAIN digit AS int"
)
#: Texts of each type, as the server has them.
TEXTS = {
    '"char"': ["x"],
    "bit(3)": ["101"],
    "varbit": ["10111", ""],
    "point": ["(1.5,-2)", "(1e+20,Infinity)", "(NaN,1e-07)"],
    "line": ["{1,2,3.25}"],
    "lseg": ["[(0,0),(1,1)]"],
    "box": ["(3,4),(1,2)"],
    "path": ["[(0,0),(1,1)]", "((0,0),(1,1.1))"],
    "polygon": ["((0,0),(1,1),(2,0))"],
    "circle": ["<(1,2),3>"],
    "xid": ["123"],
    "cid": ["3"],
    "xid8": ["18446744073709551615"],
    "pg_lsn": ["16/B374D848", "0/0"],
    "tid": ["(0,1)"],
    "txid_snapshot": ["10:20:10,15", "10:20:"],
    "pg_snapshot": ["10:20:10,15"],
    "int2vector": ["1 2"],
    "inet": ["10.0.0.1", "10.0.0.1/8", "::1", "fe80::/10"],
    "cidr": ["10.0.0.0/8"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "money": ["$12.50"],
    "tsvector": ["'a' 'b'"],
    "tsquery": ["'a' & 'b'"],
    "jsonpath": ['$."a"'],
    "regtype": ["integer"],
    "mood": ["sad"],
    "digit": ["5"],
}
RANGES = {
    "int4range": ["[1,5)", "empty", "(,)"],
    "numrange": ["(1.5,2]"],
    "daterange": ["[2020-01-01,2020-01-02)"],
    "tstzrange": ['["2020-01-01 00:00:00+00",)'],
    "int4multirange": ["{[1,3),[5,7)}", "{}"],
    "pair": ["(1,a)"],
}
#: What SQLAlchemy has a type for, whose values are the same with all drivers.
TYPED: dict[TypeEngine[Any], str] = {
    postgresql.MACADDR(): "08:00:2b:01:02:03",
    postgresql.MONEY(): "$12.50",
    postgresql.TSVECTOR(): "'a' 'b'",
    postgresql.INT4RANGE(): "[1,5)",
    postgresql.ARRAY(postgresql.INT4RANGE): '{"[1,5)"}',
    postgresql.ARRAY(postgresql.MACADDR): "{08:00:2b:01:02:03}",
}


def write_and_read(connection: sa.Connection, type_: str, value: Any) -> list[Any]:
    """A value as a parameter, the server's text of it, and what is read of it."""
    execute = connection.execute
    execute(sa.text(f"CREATE TEMPORARY TABLE v (x {type_})"))
    execute(sa.text("INSERT INTO v VALUES (:x)"), {"x": value})
    found = [
        connection.scalar(sa.text("SELECT CAST(x AS text) FROM v")),
        connection.scalar(sa.text("SELECT x FROM v")),
    ]
    execute(sa.text("DROP TABLE v"))
    return found


@on_each_driver
def test_a_text_is_read_and_written_as_with_psycopg2(pair: Pair) -> None:
    def work(env: Environment) -> dict[str, Any]:
        env.op.execute(TYPES)
        return {
            f"{type_} {text}": write_and_read(env.op.get_bind(), type_, text)
            for type_, texts in TEXTS.items()
            for text in texts
        }

    found = pair.run(work)
    assert found["point (1.5,-2)"] == ["(1.5,-2)", "(1.5,-2)"]


@on_each_driver
def test_nothing_and_arrays_of_nothing_are_read_as_with_psycopg2(pair: Pair) -> None:
    def work(env: Environment) -> list[Any]:
        env.op.execute(TYPES)
        scalar = env.op.get_bind().scalar
        return [
            scalar(sa.text(f"SELECT CAST(NULL AS {type_}{array})"))
            for type_ in TEXTS
            for array in ["", "[]"]
        ]

    assert {*pair.run(work)} == {None}


@on_each_driver
def test_arrays_of_known_types_are_read_as_with_psycopg2(pair: Pair) -> None:
    def work(env: Environment) -> list[Any]:
        scalar = env.op.get_bind().scalar
        return [
            scalar(sa.text(f"SELECT ARRAY[CAST({text} AS {type_}), NULL]"))
            for type_, text in [
                ('"char"', "'x'"),
                ("inet", "'10.0.0.1/8'"),
                ("cidr", "'10.0.0.0/8'"),
                ("macaddr", "'08:00:2b:01:02:03'"),
                ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
                ("json", "'[1]'"),
            ]
        ]

    assert pair.run(work)[0] == ["x", None]


@on_each_driver
def test_what_is_read_can_be_written_again(pair: Pair) -> None:
    """Whatever class a driver has for it."""

    def work(env: Environment) -> list[Any]:
        connection = env.op.get_bind()
        env.op.execute(TYPES)
        found = []

        for type_, texts in RANGES.items():
            for text in texts:
                wrote, value = write_and_read(connection, type_, text)
                again, _ = write_and_read(connection, type_, value)
                found += [wrote, again]

        return found

    found = pair.run(work)
    assert found[::2] == found[1::2]


@on_each_driver
def test_columns_with_a_type_are_read_as_with_psycopg2(pair: Pair) -> None:
    def work(env: Environment) -> list[Any]:
        scalar = env.op.get_bind().scalar
        return [
            scalar(sa.select(sa.cast(sa.literal_column(f"$${text}$$"), type_)))
            for type_, text in TYPED.items()
        ]

    assert len(pair.run(work)) == len(TYPED)


@on_each_driver
def test_addresses_with_a_type_are_those_of_sqlalchemy(pair: Pair) -> None:
    """A text with psycopg2."""

    def work(env: Environment) -> Any:
        address = sa.literal_column("'10.0.0.1/8'", sa.Text())
        return env.op.get_bind().scalar(sa.select(sa.cast(address, postgresql.INET)))

    found = [pair.caller(alembic, "run", work) for alembic in pair.alembics]
    assert found == ["10.0.0.1/8", IPv4Interface("10.0.0.1/8")]


def listed() -> list[list[str]]:
    """The rows of the table in the documentation."""
    row = re.compile(r"^\| `(SELECT .+)` \| `(.+)` \| `(.+)` \| `(.+)` \|$", re.M)
    return [[*cells] for cells in row.findall(PAGE.read_text())]


@awaited_only
@on(POSTGRESQL_BACKENDS)
def test_what_differs_is_documented(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    column = 1 + ["psycopg2", "asyncpg", "psycopg"].index(backend.driver)
    app, engine = make_app("flask", tmp_path), engines(backend)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    def work(env: Environment) -> list[str]:
        connection = env.op.get_bind()
        env.op.execute(TYPES)
        found = []

        for statement, *_ in listed():
            try:
                with connection.begin_nested():
                    found.append(repr(connection.scalar(sa.text(statement))))
            except Exception:
                found.append("an error")

        return found

    assert caller(alembic, "run", work) == [cells[column] for cells in listed()]
    assert len(listed()) > 8
