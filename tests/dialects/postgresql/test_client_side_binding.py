"""What runs on psycopg2 does the same on the drivers that bind on the server."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import MigrationError
from async_alembic.migration.environment import Environment

from ...backends import by_id
from ...backends import on
from ...harness import write_revision
from ..pairs import on_each_driver
from ..pairs import Pair
from ..pairs import plain

#: As they are found in histories that were written for psycopg2.
STATEMENTS: dict[str, list[tuple[str, Any]]] = {
    "several statements": [
        ("CREATE TABLE a (x int); CREATE TABLE b (x int); INSERT INTO a VALUES (1)", {})
    ],
    "rows of the last statement": [
        ("CREATE TABLE a (x int); INSERT INTO a VALUES (1), (2); SELECT x FROM a", {}),
        ("SELECT 1; SELECT 2, 3", {}),
        ("SELECT 1; UPDATE a SET x = x + 1 RETURNING x", {}),
        ("SELECT x FROM a; UPDATE a SET x = x", {}),
    ],
    "several statements with what has no literal": [
        ("SET LOCAL my.x = '1'; SELECT encode(:b, 'hex')", {"b": b"xy"}),
        ("SELECT 1 < :n; SELECT now() > now() - :t", {"n": 2, "t": dt.timedelta(1)}),
        ("CREATE TABLE a (x int, b bytea)", {}),
        ("INSERT INTO a VALUES (1, :b), (2, ''); UPDATE a SET b = :b", {"b": b"\0"}),
        ("INSERT INTO a VALUES (3, :b); UPDATE a SET x = 4 WHERE x = 3", {"b": b"z"}),
        ("SELECT encode(:b, 'hex'); SELECT x, encode(b, 'hex') FROM a", {"b": b"z"}),
    ],
    "functions": [
        (
            "CREATE FUNCTION f(n int) RETURNS int AS $$ BEGIN RETURN n + 1; END; $$"
            " LANGUAGE plpgsql; DO $x$ BEGIN PERFORM f(1); END $x$;",
            {},
        ),
        (
            "CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1;"
            " SELECT CASE WHEN true THEN 2 END; END; -- the end;",
            {},
        ),
        ("SELECT f(:n), g()", {"n": 4}),
    ],
    "parameters without a type": [
        ("SELECT CONCAT('x', :p), :q || 'y'", {"p": "a", "q": "b"}),
        ("SELECT :a, :b, :c", {"a": None, "b": "x", "c": 1}),
        ("SELECT COALESCE(:a, :b)", {"a": None, "b": 5}),
    ],
    "parameters of another type": [
        ("CREATE TABLE a (n int, t timestamp, d date, j jsonb, f float, s text)", {}),
        (
            "INSERT INTO a VALUES (:n, :t, :d, :j, :f, :s)",
            {
                **{"n": "5", "t": "2020-01-02 03:04:05", "d": "2020-01-02"},
                **{"j": '{"a": 1}', "f": "1.5", "s": "x"},
            },
        ),
        ("INSERT INTO a (n, s, f) VALUES (:n, :s, :f)", {"n": 5.0, "s": 5, "f": 5}),
        ("SELECT * FROM a WHERE n = :n AND t < :t", {"n": "5", "t": "2021-01-01"}),
    ],
    "numbers": [
        ("SELECT 1 -:p, 2 - :p, -:p", {"p": -5}),
        ("SELECT 1 -:p, :q", {"p": -5.5, "q": decimal.Decimal("-1.50")}),
        ("SELECT CAST(:p AS float), CAST(:q AS float)", {"p": 1e300, "q": 1e-7}),
        ("SELECT CAST(:p AS float) IS NULL", {"p": float("nan")}),
        ("SELECT CAST(:p AS bigint), :q > 1", {"p": 2**63 - 1, "q": 2**70}),
    ],
    "times": [
        ("SELECT :t + interval '1 day'", {"t": dt.datetime(2020, 2, 28, 1, 2, 3, 4)}),
        ("SELECT :t", {"t": dt.datetime(2020, 2, 28, tzinfo=dt.UTC)}),
        ("SELECT :t + 1", {"t": dt.date(2020, 2, 28)}),
        ("SELECT :t", {"t": dt.time(1, 2, 3)}),
        ("SELECT :t + :d", {"t": dt.date(2020, 1, 1), "d": dt.timedelta(-1, 2, 3)}),
    ],
    "lengths of time": [
        ("CREATE TABLE a (i interval)", {}),
        ("INSERT INTO a VALUES (:i)", {"i": dt.timedelta(30, 5, 6)}),
        ("SELECT i::text FROM a", {}),
    ],
    "lists and tuples": [
        ("CREATE TABLE a (x int, s text)", {}),
        ("INSERT INTO a VALUES (1, 'a'), (2, 'b''%')", {}),
        ("SELECT s FROM a WHERE x IN :x", {"x": (1, 2)}),
        ("SELECT x FROM a WHERE s IN :s AND x = ANY(:x)", {"s": ("b'%",), "x": [2]}),
        ("SELECT x FROM a WHERE (x, s) IN :x", {"x": ((1, "a"), (2, "-"))}),
        ("INSERT INTO a VALUES :row", {"row": (3, None)}),
        ("SELECT x FROM a WHERE s <> ALL(:s) OR x = ANY(:x)", {"s": [], "x": [-1]}),
        (
            "SELECT unnest(:x), to_jsonb(:s), array_length(:x, 1)",
            {"x": [1], "s": ["a"]},
        ),
        ("SELECT CAST(:x AS int[]), CAST(:n AS int[])", {"x": ["1"], "n": [[1], [2]]}),
        ("SELECT :d, pg_typeof(:x)", {"d": [dt.date(2020, 1, 1)], "x": ["a", None]}),
        ("CREATE TABLE b (n int[])", {}),
        ("INSERT INTO b VALUES (:n)", {"n": [None]}),
        ("INSERT INTO b VALUES (:n), ('{1}')", {"n": [None, None]}),
        ("SELECT n FROM b", {}),
    ],
    "percent signs and colons": [
        (
            "SELECT '100%', '%s', '%(x)s', '%%', 'a\\:b', 'x'::text, '12:30:00'::time",
            {},
        ),
        ("SELECT '%', :p LIKE 'a%', '50%%'", {"p": "a%b:c%%"}),
    ],
    "quotes and backslashes": [
        ("SELECT :p, :q", {"p": "it's \\' \\\\ \"q\" $$;$$ --", "q": "\\"}),
        (r"SELECT E'a\'; b', 'a\', U&'\0061'", {}),
        ("SET standard_conforming_strings = off", {}),
        (r"SELECT 'a\'; b'; SELECT :p", {"p": "x\\'; y"}),
    ],
    "what has no literal": [
        ("CREATE TABLE a (b bytea, t text[], n int[])", {}),
        (
            "INSERT INTO a VALUES (:b, :t, :n)",
            {"b": b"\0\\'\xff", "t": ["a'", "b"], "n": [1, 2]},
        ),
        ("SELECT encode(b, 'hex'), t, n FROM a WHERE 2 = ANY(:n)", {"n": [2]}),
    ],
    "utilities": [
        ("CREATE SEQUENCE s", {}),
        ("ALTER SEQUENCE s RESTART WITH :n", {"n": 7}),
        ("SELECT nextval('s')", {}),
        ("COMMENT ON SEQUENCE s IS :c", {"c": "it's 100%"}),
        ("SELECT obj_description('s'::regclass)", {}),
        ("SELECT set_config('x.y', :v, true)", {"v": "z"}),
        ("SHOW x.y", {}),
        ("EXPLAIN (COSTS off) SELECT 1", {}),
        ("PREPARE p (int) AS SELECT $1 + 1; EXECUTE p(3)", {}),
    ],
    "a type that changes": [
        ("CREATE TABLE a (x int)", {}),
        ("SELECT x FROM a", {}),
        ("ALTER TABLE a ALTER COLUMN x TYPE text", {}),
        ("INSERT INTO a VALUES ('x')", {}),
        ("SELECT x FROM a", {}),
        ("ALTER TABLE a ADD COLUMN y int", {}),
        ("SELECT * FROM a", {}),
    ],
    "leaving the transaction": [
        ("CREATE TABLE a (x int)", {}),
        ("COMMIT", {}),
        ("CREATE INDEX CONCURRENTLY ix_a ON a (x)", {}),
        ("BEGIN", {}),
        ("INSERT INTO a VALUES (1)", {}),
        ("SELECT x FROM a", {}),
    ],
    "many rows": [
        ("CREATE TABLE a (x int, s text)", {}),
        ("INSERT INTO a VALUES (:x, :s)", [{"x": str(n), "s": n} for n in range(300)]),
        ("INSERT INTO a (s) VALUES (:s) -- done", [{"s": "%"}, {"s": "';"}]),
        ("SELECT count(*), max(x), min(s) FROM a", {}),
    ],
    "more than is sent at once": [
        ("CREATE TABLE a (x int, s text)", {}),
        (
            "INSERT INTO a VALUES (:x, :s)",
            [{"x": x, "s": f"{x}" * 40_000} for x in range(7)],
        ),
        ("SELECT x, length(s), left(s, 1) FROM a ORDER BY ctid", {}),
    ],
    "rows without a type": [
        (
            "SELECT '{\"a\"\\: [1]}'::json, '[null]'::jsonb, NULL::json, 'r'::\"char\"",
            {},
        ),
        ("SELECT '10.0.0.1'::inet, '10.0.0.0/8'::cidr, '10.0.0.1/8'::inet", {}),
        ("SELECT 1.50, 1::float, 2::bigint, 'x'::name, now() = now(), 5::oid", {}),
        ("SELECT ARRAY[1, 2], ARRAY['a'], '{}'::text[], md5('x')::uuid", {}),
        ("SELECT '1 day 2 hours'::interval, '01:02'::time, 'pg_class'::regclass", {}),
        ("SELECT relname, relkind, relacl IS NULL FROM pg_class WHERE oid = 1259", {}),
    ],
    "nothing to do": [("-- nothing\n; SELECT 1", {}), ("SELECT 1;;  ; -- done", {})],
}


@on_each_driver
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_does_the_same_and_returns_the_same(name: str, pair: Pair) -> None:
    def work(env: Environment) -> list[Any]:
        connection = env.op.get_bind()
        found = []

        for statement, parameters in STATEMENTS[name]:
            result = connection.execute(sa.text(statement), parameters)
            found.append(
                [tuple(map(plain, row)) for row in result]
                if result.returns_rows
                else result.rowcount
                if isinstance(parameters, dict)
                else None
            )

        return found

    assert pair.run(work)


@on_each_driver
def test_what_is_past_sqlalchemy_is_written_for_either_driver(pair: Pair) -> None:
    """psycopg2 wants percent signs twice there, and asyncpg once."""

    def work(env: Environment) -> list[Any]:
        execute = env.op.get_bind().exec_driver_sql
        return [
            execute("SELECT 'a%%b'; SELECT '100%%'").scalar(),
            tuple(execute("SELECT %(x)s, '%%'", {"x": "y"}).one()),
            tuple(execute("SELECT 1; SELECT %s, '%%s', %s", ("y", None)).one()),
            execute("CREATE TABLE a (x int, s text)").rowcount,
            execute(
                "INSERT INTO a VALUES (%s, %s)", [("1", "%s"), (2, 5)]
            ).returns_rows,
            execute("SELECT s FROM a ORDER BY x").scalars().all(),
        ]

    assert pair.run(work)[:3] == ["100%", ("y", "%"), ("y", "%s", None)]


@on_each_driver
def test_an_array_is_cast_where_psycopg2_casts_it(pair: Pair) -> None:
    ids, days = (
        sa.column("ids", sa.ARRAY(sa.Integer)),
        sa.column("days", sa.ARRAY(sa.Date)),
    )
    table = sa.table("a", ids, days)

    def work(env: Environment) -> list[Any]:
        env.op.execute("CREATE TABLE a (ids int[], days date[])")
        env.op.bulk_insert(table, [{"ids": ["1", "2"], "days": ["2020-01-02"]}])
        return [tuple(row) for row in env.op.get_bind().execute(sa.select(table))]

    assert pair.run(work) == [([1, 2], [dt.date(2020, 1, 2)])]


@on_each_driver
def test_errors_are_of_the_same_classes(pair: Pair) -> None:
    """Revisions catch them, to try something else."""
    statements = [
        *("SELECT 1/0", "SELECT 'x'::int", "SELECT CAST('2020-13-01' AS date)"),
        *("SELECT nope", "SELEC 1", "DROP TABLE nope", "CREATE TABLE a (x int)"),
        *("INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (NULL)", "SET x TO 1"),
        *("SELECT pg_sleep(2)", "VACUUM"),
        *("INSERT INTO a VALUES (:x)", "SELECT 1 / :x", "SELECT :x::nope"),
    ]

    def work(env: Environment) -> list[Any]:
        connection = env.op.get_bind()
        env.op.execute("CREATE TABLE a (x int NOT NULL UNIQUE)")
        env.op.execute("SET statement_timeout = '300ms'; INSERT INTO a VALUES (1)")
        found: list[Any] = []

        for statement in statements:
            try:
                with connection.begin_nested():
                    connection.execute(
                        sa.text(statement.replace("::", r"\:\:")), {"x": 0}
                    )
            except sa.exc.DBAPIError as e:
                code = getattr(e.orig, "pgcode", None)
                found.append((statement, type(e).__name__, code))

        return found

    assert len(pair.run(work)) > 10


@on_each_driver
def test_a_copy_to_or_from_the_client_is_refused(pair: Pair) -> None:
    """psycopg2 refuses it too. Other drivers would wait for rows that never come, or
    leave the connection amid it.
    """

    def work(env: Environment) -> list[Any]:
        connection = env.op.get_bind()
        env.op.execute("CREATE TABLE a (x int)")

        for statement, parameters in [
            ("COPY a FROM STDIN", {}),
            ("INSERT INTO a VALUES (1); copy a (x) to stdout", {}),
            ("INSERT INTO a VALUES (:x); COPY a TO STDOUT", {"x": b"1"}),
        ]:
            with pytest.raises(sa.exc.NotSupportedError, match="bulk_insert"):
                connection.execute(sa.text(statement), parameters)

        env.op.execute("INSERT INTO a VALUES (5); COMMENT ON TABLE a IS 'copy, stdin'")
        return [*connection.scalars(sa.text("SELECT x FROM a"))]

    assert pair.caller(pair.alembics[1], "run", work) == [5]


@on_each_driver
@pytest.mark.parametrize(
    "use",
    [
        "cursor.copy_expert('COPY a FROM STDIN', io.StringIO('1'))",
        "cursor.execute('SELECT x FROM nowhere')",
    ],
)
def test_what_is_to_replace_a_cursor_of_psycopg2_is_told(use: str, pair: Pair) -> None:
    cursor = "cursor = op.get_bind().connection.cursor()"
    write_revision(pair.folder, "a1", None, f"{cursor}\n{use}", top="import io")

    with pytest.raises(MigrationError, match="not one of psycopg2: write op.get_bind"):
        pair.caller(pair.alembics[1], "upgrade")

    # No cursor is to blame for these.
    for other in "op.execute('SELECT x FROM nowhere')", "sa.copy_expert":
        write_revision(pair.folder, "a1", None, other)

        with pytest.raises(MigrationError, match="nowhere|copy_expert") as e:
            pair.caller(pair.alembics[1], "upgrade")

        assert "psycopg2" not in str(e.value)


@on([by_id("postgresql-asyncpg")])
def test_what_is_written_for_asyncpg_still_runs_on_it(pair: Pair) -> None:
    def work(env: Environment) -> list[Any]:
        execute = env.op.get_bind().exec_driver_sql
        execute("CREATE TABLE a (x int)")
        execute("INSERT INTO a VALUES ($1)", [(1,), (2,)])
        return [
            execute("SELECT '100%'").scalar(),
            execute("SELECT $1::int + 1", (1,)).scalar(),
            execute("SELECT sum(x) FROM a").scalar(),
        ]

    assert pair.caller(pair.alembics[1], "run", work) == ["100%", 2, 3]


@on_each_driver
def test_the_connection_binds_as_before_afterwards(pair: Pair) -> None:
    """Not even a revision that ends its transaction by itself changes that."""
    caller, engine, alembic = pair.caller, pair.engine, pair.alembics[1]
    folder = pair.folder
    write_revision(folder, "a1", None, "op.execute('COMMIT'); op.execute('SELECT 1')")
    write_revision(folder, "a2", "a1", "raise ValueError")

    def look(connection: sa.Connection) -> list[Any]:
        driver: Any = connection.connection.driver_connection
        factory = getattr(driver, "cursor_factory", None)
        # It is that of the transaction's begin.
        times = [connection.scalar(sa.text("SELECT now()")) for _ in range(2)]
        return [connection.dialect, factory, times[0] == times[1]]

    before = caller.begin(engine, look)
    assert before[2]
    caller(alembic, "upgrade", "a1")
    assert caller.begin(engine, look) == before

    with pytest.raises(MigrationError):
        caller(alembic, "upgrade", "a2")

    assert caller.begin(engine, look) == before


@on_each_driver
def test_what_a_left_transaction_has_done_is_kept(pair: Pair) -> None:
    """As with psycopg2: what comes after COMMIT is committed by itself."""
    make = "op.execute('CREATE TABLE a (x int)')"
    insert = "op.execute('INSERT INTO a VALUES (2)')"
    write_revision(pair.folder, "a1", None, make)
    leave = f"op.execute('COMMIT'); {insert}; raise ValueError"
    write_revision(pair.folder, "a2", "a1", leave)
    found = []

    for engine, alembic in zip(pair.engines, pair.alembics, strict=True):
        with pytest.raises(MigrationError):
            pair.caller(alembic, "upgrade")

        rows = pair.caller.query(engine, "SELECT x FROM a")
        found.append((pair.caller.versions(engine), rows))

    assert found[0] == found[1] == (["a1"], [(2,)])
