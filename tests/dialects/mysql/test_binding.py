"""Parameters are written as PyMySQL writes them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from async_alembic.migration.environment import Environment

from ...backends import by_id
from ...backends import on
from ...harness import write_revision
from ..pairs import Pair

on_each_mysql_driver = on([by_id("mariadb-aiomysql"), by_id("mariadb-asyncmy")])


@on_each_mysql_driver
def test_parameters_are_written_as_by_pymysql(pair: Pair) -> None:
    def work(env: Environment) -> list[Any]:
        connection = env.op.get_bind()
        env.op.execute("CREATE TABLE a (x int, s varchar(20), b blob)")
        insert = sa.text("INSERT INTO a VALUES (:x, :s, :b)")
        connection.execute(insert, {"x": 1, "s": "it's", "b": b"\0\xff'"})
        connection.execute(
            insert,
            [{"x": 2, "s": "%s", "b": bytearray(b"b")}, {"x": 3, "s": None, "b": None}],
        )
        some = sa.text("SELECT x FROM a WHERE x IN :x OR s IN :s ORDER BY x")
        return [
            connection.execute(some, {"x": (1, 7), "s": ["%s", "it's"]})
            .scalars()
            .all(),
            [tuple(row) for row in connection.execute(sa.text("SELECT * FROM a"))],
            connection.scalars(some, {"x": {3, 1}, "s": frozenset(["it's"])}).all(),
        ]

    found = pair.run(work)
    assert found[0] == [1, 2]
    assert found[1][1] == (2, "%s", b"b")
    assert found[2] == [1, 3]


@on_each_mysql_driver
def test_the_connection_writes_parameters_as_before_afterwards(pair: Pair) -> None:
    def look(connection: sa.Connection) -> Any:
        driver: Any = connection.connection.driver_connection
        return vars(driver).get("escape")

    write_revision(pair.folder, "a1", None, "op.execute('SELECT 1')")
    pair.caller(pair.alembics[1], "upgrade")
    assert pair.caller.begin(pair.engine, look) is None
