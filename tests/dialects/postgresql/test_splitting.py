"""Where statements end, as the server itself sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic.dialects.postgresql.splitting import split

from ...servers import PostgresServer


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("a; b", ["a", "b"]),
        (" ;; a ;\n; ", ["a"]),
        ("", []),
        ("-- a;\n/* ; /* ; */ ; */ b; c", ["b", "c"]),
        ("SELECT ';'; SELECT 'a'';'; b", ["SELECT ';'", "SELECT 'a'';'", "b"]),
        (r"SELECT 'a\'; b'; c'; d", [r"SELECT 'a\'", "b'; c'", "d"]),
        (r"SELECT E'a\'; b'; c", [r"SELECT E'a\'; b'", "c"]),
        ("SELECT E'a'\n 'b\\'; c'; d", ["SELECT E'a'\n 'b\\'; c'", "d"]),
        (r"SELECT type'a\'; b", [r"SELECT type'a\'", "b"]),
        ('SELECT "a;""b"; c', ['SELECT "a;""b"', "c"]),
        ("DO $$a; $x$ b;$$; c", ["DO $$a; $x$ b;$$", "c"]),
        ("DO $x$a; $$ $y$ b;$x$; c", ["DO $x$a; $$ $y$ b;$x$", "c"]),
        ("SELECT a$b$c; d$b$", ["SELECT a$b$c", "d$b$"]),
        ("SELECT $1; SELECT $2", ["SELECT $1", "SELECT $2"]),
        ("CREATE RULE r DO (a; b); c", ["CREATE RULE r DO (a; b)", "c"]),
        (
            "CREATE OR REPLACE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN b END;"
            " c; END; d",
            [
                "CREATE OR REPLACE FUNCTION f() BEGIN ATOMIC"
                " SELECT CASE WHEN a THEN b END; c; END",
                "d",
            ],
        ),
        (
            "CREATE FUNCTION f() RETURNS int RETURN CASE WHEN a THEN b END; c",
            ["CREATE FUNCTION f() RETURNS int RETURN CASE WHEN a THEN b END", "c"],
        ),
        ("BEGIN; a; END; b", ["BEGIN", "a", "END", "b"]),
        ("SELECT CASE WHEN a THEN b END; c", ["SELECT CASE WHEN a THEN b END", "c"]),
        ("a; SELECT 'b; c", ["a", "SELECT 'b; c"]),
        ("a; $x$ b; c", ["a", "$x$ b; c"]),
        ("a /* b; c", ["a"]),
    ],
)
def test_a_semicolon_ends_a_statement_unless_it_is_part_of_it(
    text: str, statements: list[str]
) -> None:
    assert [statement.text for statement in split(text)] == statements


def test_a_backslash_escapes_in_every_string_if_the_server_says_so() -> None:
    found = split(r"SELECT 'a\'; b'; c", backslashes=True)
    assert [statement.text for statement in found] == [r"SELECT 'a\'; b'", "c"]


def test_words_are_what_is_not_quoted() -> None:
    [statement] = split("/* a */ Insert INTO \"b\" VALUES ('c', $$d$$) returning id")
    assert statement.words == ("INSERT", "INTO", "VALUES", "RETURNING", "ID")


quoted = st.text("';$\"\\-*/a\n", max_size=6)
VALUES = st.one_of(
    quoted.map(lambda text: "'" + text.replace("'", "''") + "'"),
    quoted.map(
        lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    ),
    quoted.filter(lambda text: "$x$" not in f"{text}$x").map("$x${}$x$".format),
    quoted.filter(lambda text: "$$" not in f"{text}$").map("$${}$$".format),
    quoted.map(lambda text: '1 AS "x' + text.replace('"', '""') + '"'),
    st.just("(SELECT CASE WHEN true THEN 1 ELSE 2 END)"),
    st.just("1"),
)
GAPS = st.one_of(
    st.just(" "),
    quoted.map(lambda text: "--" + text.replace("\n", "") + "\n"),
    quoted.filter(lambda text: "*/" not in f"{text}*" and "/*" not in f"*{text}*").map(
        " /* {} */ ".format
    ),
    st.just(" /* a; /* b; */ c; */ "),
)


def test_any_text_has_the_statements_that_the_server_finds_in_it(
    postgres_server: PostgresServer,
) -> None:
    """It is asked to run all of them, and each of them alone."""
    import psycopg

    select = st.tuples(GAPS, VALUES, GAPS).map(
        lambda parts: f"{parts[0]}SELECT{parts[0]}{parts[1]}{parts[2]}"
    )
    address = f"host={postgres_server.host} port={postgres_server.port}"

    with psycopg.connect(
        f"{address} user=postgres dbname=postgres",
        autocommit=True,
        cursor_factory=psycopg.ClientCursor,
    ) as connection:

        @settings(max_examples=200, deadline=None)
        @given(st.lists(select, min_size=1, max_size=4).map(";".join))
        def check(text: str) -> None:
            cursor = connection.execute(text)
            whole = [cursor.fetchall()]

            while cursor.nextset():
                whole.append(cursor.fetchall())

            each = [connection.execute(s.text).fetchall() for s in split(text)]
            assert each == whole

        check()
