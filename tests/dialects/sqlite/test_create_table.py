"""Statements of SQLite are read and edited without a byte too many or too few."""

from __future__ import annotations

import contextlib
import itertools
import re
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import reject
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic.dialects.sqlite.column_names import unqualified
from async_alembic.dialects.sqlite.create_table import CreateTable
from async_alembic.dialects.sqlite.tokens import NotUnderstoodError
from async_alembic.dialects.sqlite.tokens import Token
from async_alembic.dialects.sqlite.tokens import tokens
from async_alembic.errors import BatchError
from async_alembic.errors import ForeignKeyError

from .shops import batch
from .shops import Shop

GAP = re.compile(
    r"(?:[ \t\n\r\f\v\ufeff]|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*", re.DOTALL
)
SPACES = [" ", "\n", "\t ", " -- it's (\n", ' /* , ) " */ ', "/**/", "\r\n--\n"]
TOKENS = [
    *("a", "É", "a$1", "_", "date", "😀", '"a ""b"" --"', "[a ' b]", "`c``d`", "''"),
    *("'it''s /*'", "x'00ff'", "X''", "1", "1.5e-3", ".5", "0xFF", "1_000", "5."),
    *("(", ")", ",", ";", ".", "||", "->>", "<>", "!=", "~", "-", "+", "*", "%", "&"),
]


class TestTokens:
    @given(st.lists(st.tuples(st.sampled_from(TOKENS), st.sampled_from(SPACES))))
    def test_tokens_and_gaps_make_the_sql(self, parts: list[tuple[str, str]]) -> None:
        sql = "".join(token + space for token, space in parts)
        found = tokens(sql)
        place = 0

        for token in found:
            assert GAP.fullmatch(sql[place : token.start])
            assert sql[token.start : token.end] == token.text
            place = token.end

        assert GAP.fullmatch(sql[place:])
        assert "".join(t.text for t in found) == "".join(token for token, _ in parts)

    @given(st.text())
    def test_any_text_is_split_or_refused(self, sql: str) -> None:
        with contextlib.suppress(NotUnderstoodError):
            assert all(sql[t.start : t.end] == t.text for t in tokens(sql))

    @pytest.mark.parametrize("sql", ["'a", '"a', "a [b", "`", "a # b", "a \0"])
    def test_what_begins_no_token_is_refused(self, sql: str) -> None:
        with pytest.raises(NotUnderstoodError, match="is not understood"):
            tokens(sql)

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ('"a ""b"""', 'a "b"'),
            ("[a]", "a"),
            ("`a``b`", "a`b"),
            ("'it''s'", "it's"),
            ("a", "a"),
            ("1", None),
            ("x'00'", None),
        ],
    )
    def test_a_name_is_read_in_all_its_quotes(
        self, text: str, name: str | None
    ) -> None:
        [token] = tokens(text)
        assert token.name == name


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIRTUAL TABLE t USING fts5 (a)",
        "CREATE TABLE t",
        "CREATE TABLE t AS SELECT 1",
        "CREATE TABLE t (a INT) FANCY",
        "CREATE TABLE t (1 INT)",
        "CREATE TABLE t (a INT 5)",
        "CREATE TABLE t (a INT (5) BIG)",
        "CREATE TABLE t (a, GENERATED)  x",
    ],
)
def test_what_is_no_plain_table_is_refused(sql: str) -> None:
    with pytest.raises(NotUnderstoodError):
        CreateTable.parse(sql)


NAMES = ["a", '"b c"', "[d]", "`e`", "'f'", "date", '"g""h"', "É", "real", "key", "x"]
TYPES = [
    *("", "INT", "TEXT", "REAL", "VARCHAR(20)", "NUMERIC(+9, -2)", "UNSIGNED BIG INT"),
    *('"my type"', "'date'", "GENERATED", "[x y] (1)"),
]
CLAUSES = [
    *("COLLATE NOCASE", "UNIQUE ON CONFLICT IGNORE", "CHECK ({c} <> 'a, (')", "NULL"),
    *("NOT NULL", "DEFAULT 'it''s'", 'DEFAULT "dq"', "DEFAULT -1.5", "DEFAULT NULL"),
    *("DEFAULT (1 + (2))", "CONSTRAINT {c} CHECK (date({c}) IS NOT real(1))"),
    *("REFERENCES item ON DELETE SET NULL NOT DEFERRABLE INITIALLY IMMEDIATE",),
    *("CONSTRAINT k REFERENCES shop ({c}) ON UPDATE SET DEFAULT MATCH full",),
    *("DEFAULT x'00'", "CHECK ({c} IN (1, 2))", "CONSTRAINT 'n o' UNIQUE"),
]
CONSTRAINTS = [
    *("UNIQUE ({a} COLLATE NOCASE DESC, {b})", "CHECK ({a} > 0 AND {b} <> '{b}')"),
    *("CONSTRAINT [c d] CHECK (CAST({a} AS real) > date('now', {b}))",),
    *("FOREIGN KEY ({a}) REFERENCES shop ({b}) ON DELETE CASCADE DEFERRABLE",),
    *('CHECK ({a} <> "no column") CHECK (shop.{b} IS NOT 1)', "CHECK ({a} NOT NULL)"),
    *("CONSTRAINT a FOREIGN KEY ({a}, {b}) REFERENCES item",),
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A table with odd names, quotes, comments and clauses, and its columns."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=4, unique=True))
    items = []

    for name in names:
        clauses = draw(st.lists(st.sampled_from(CLAUSES), max_size=3, unique=True))
        column = name if name[0] != "'" else f'"{name[1:-1]}"'
        text = " ".join(clause.format(c=column) for clause in clauses)
        items.append(f"{name} {draw(st.sampled_from(TYPES))} {text}")

    columns = [name.replace("'", '"') for name in names]

    for constraint in draw(st.lists(st.sampled_from(CONSTRAINTS), max_size=3)):
        a, b = draw(st.permutations(columns))[:2]
        items.append(constraint.format(a=a, b=b))

    sql = f"CREATE TABLE shop ({', '.join(items)})"
    spaces = st.sampled_from(SPACES)
    found = tokens(sql)
    parts = []

    for token, after in itertools.zip_longest(found, found[1:]):
        is_parted = after is not None and after.start > token.end
        parts += [token.text, draw(spaces) if is_parted else ""]

    return "".join(parts), columns


def name_of(column: str) -> str:
    [token] = tokens(column)
    return token.name or ""


def describe(connection: Any) -> list[Any]:
    """What SQLite says of the table, apart from its statement."""

    def query(text: str) -> list[Any]:
        return [tuple(row) for row in connection.execute(text).fetchall()]

    indexes = query("PRAGMA index_list(shop)")
    return [
        query("PRAGMA table_xinfo(shop)"),
        query("PRAGMA foreign_key_list(shop)"),
        [(x[1:], query(f"PRAGMA index_xinfo('{x[1]}')")) for x in indexes],
    ]


def changed_by_a_batch(table: str, code: str) -> tuple[str, list[Any]]:
    """The statement after a batch change, and what SQLite says of the table."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        made = Shop(Path(folder))
        stack.callback(made.engine.dispose)

        try:
            made.execute(table, "CREATE TABLE item (id INTEGER PRIMARY KEY, x)")
        except sa.exc.DBAPIError:
            # No table that there can be.
            reject()

        try:
            made.change(code)
        except ForeignKeyError:
            # Of several keys that refer to what is not unique, SQLite names the first.
            reject()

        connection = stack.enter_context(contextlib.closing(sqlite3.connect(made.file)))
        query = "SELECT sql FROM sqlite_master WHERE name = 'shop'"
        [(sql,)] = connection.execute(query)
        return sql, describe(connection)


def renamed_by_sqlite(table: str, column: str | None) -> tuple[str, list[Any]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute(table)
        except sqlite3.Error:
            reject()

        connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, x)")

        if column is not None:
            rename = f"RENAME COLUMN {column} TO new_name"
            connection.execute(f"ALTER TABLE shop {rename}")

        query = "SELECT sql FROM sqlite_master WHERE name = 'shop'"
        [(sql,)] = connection.execute(query)
        return sql, describe(connection)


def words(sql: str) -> list[str]:
    """The tokens of a statement, however its names and strings are quoted."""
    return [t.text if t.name is None else t.name for t in tokens(sql)]


def text_of(found: tuple[Token, ...], sql: str) -> str:
    return sql[found[0].start : found[-1].end]


#: With another seed and more of them, more is found.
some = settings(deadline=None, max_examples=25, derandomize=True)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(tables())
def test_a_statement_is_read_as_sqlite_reads_it(made: tuple[str, list[str]]) -> None:
    sql, columns = made
    _, (info, keys, _) = renamed_by_sqlite(sql, None)
    table = CreateTable.parse(sql)
    assert [item.column for item in table.columns.values()] == [*map(name_of, columns)]
    assert [x.column for x in table.columns.values()] == [row[1] for row in info]
    assert [bool(x.type) for x in table.columns.values()] == [bool(r[2]) for r in info]
    assert [bool(x.of_kind("NOT")) for x in table.columns.values()] == [
        bool(row[3]) for row in info
    ]
    assert [bool(x.of_kind("DEFAULT")) for x in table.columns.values()] == [
        row[4] is not None for row in info
    ]
    assert len(table.of_kind("FOREIGN")) == len({row[0] for row in keys})
    assert table.arranged(table.items).sql == sql
    assert table.without([]).sql == sql


@some
@given(tables())
def test_a_change_of_nothing_changes_nothing(made: tuple[str, list[str]]) -> None:
    code = batch(recreate="always") + "    pass"
    sql, description = changed_by_a_batch(made[0], code)
    before, expected = renamed_by_sqlite(made[0], None)
    assert description == expected
    # SQLite quotes the name of the table when it renames it.
    assert sql == unqualified(before, "shop").replace("shop", '"shop"', 1)


@some
@given(tables(), st.data())
def test_a_column_is_renamed_where_sqlite_renames_it(
    made: tuple[str, list[str]], data: st.DataObject
) -> None:
    column = data.draw(st.sampled_from(made[1]))
    code = f"alter_column({name_of(column)!r}, new_column_name='new_name')"
    sql, description = changed_by_a_batch(made[0], batch(code))
    native, expected = renamed_by_sqlite(made[0], column)
    assert description == expected
    assert words(sql) == words(unqualified(native, "shop"))
    # All else is as it was.
    pairs = zip(tokens(unqualified(made[0], "shop")), tokens(sql), strict=True)
    assert all(
        old.text == new.text or new.text == '"new_name"' for old, new in list(pairs)[3:]
    )


@some
@given(tables(), st.data())
def test_what_does_not_name_a_dropped_column_stays_as_it_is(
    made: tuple[str, list[str]], data: st.DataObject
) -> None:
    column = name_of(data.draw(st.sampled_from(made[1])))
    before = unqualified(made[0], "shop")

    try:
        sql, (info, *_) = changed_by_a_batch(made[0], batch(f"drop_column({column!r})"))
    except BatchError as e:
        assert e.broken is not None and e.broken.startswith("CHECK constraint")
        assert column in words(before)
        return

    assert [row[1] for row in info] == [
        name_of(other) for other in made[1] if name_of(other) != column
    ]
    new = [text_of(item.tokens, sql) for item in CreateTable.parse(sql).items]
    # What has a token of that name can go or stay.
    untouched = [
        text_of(item.tokens, before)
        for item in CreateTable.parse(before).items
        if column not in [token.name for token in item.tokens]
    ]
    assert [text for text in new if text in untouched] == untouched
