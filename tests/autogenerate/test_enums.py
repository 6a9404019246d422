"""Enums of PostgreSQL, which are types beside the tables that have them."""

from __future__ import annotations

import asyncio
import itertools
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import Caller
from ..harness import write_revision
from ..projects import Project
from ..round_trips.known import column
from ..round_trips.known import model
from ..round_trips.known import table
from ..round_trips.models import Check
from ..round_trips.models import Column
from ..round_trips.models import Index
from ..round_trips.models import Model
from ..round_trips.trips import Trip

PSYCOPG, ASYNCPG = by_id("postgresql-psycopg"), by_id("postgresql-asyncpg")
on_each_driver = on([PSYCOPG, ASYNCPG])
on_one = on([ASYNCPG])


@pytest.fixture
def trip(
    backend: Backend, runner: asyncio.Runner, engines: EngineFactory, tmp_path: Path
) -> Trip:
    return Trip(backend, Caller(runner, backend.is_async), engines, tmp_path)


def colored(*values: str, name: str = "Color", schema: str | None = None) -> Column:
    """A column with an enum, and its first value as the default."""
    listed = ", ".join(map(repr, values))
    type_ = f"sa.Enum({listed}, name={name!r}, schema={schema!r})"
    return column("x", type_, default=repr(values[0]))


def palette(*values: str) -> Model:
    """Tables that use an enum in every way."""
    one = colored(*values)
    many = replace(one, name="many", type=f"pg.ARRAY({one.type})", default="'{}'")
    plain = replace(one, name="plain", default=None, nullable=False)
    first = values[0]
    where = f"""sa.text('''x = '{first}'::"Color"''')"""
    indexes = (
        Index(("x",), "ix_plain"),
        Index(("plain",), "ix_partial", options=f"postgresql_where={where}"),
    )
    checks = (Check(f"""plain <> '{first}'::"Color" """, "no_first", ("plain",)),)
    return model(
        table("a", one, many, plain, indexes=indexes, checks=checks), table("b", one)
    )


VALUES = [
    ("red", "green"),
    ("red", "green", "it's 100% :blue"),
    ("red", "orange", "yellow", "green", "it's 100% :blue"),
    ("red", "green"),
    ("red", "blue"),
    ("red", "violet", "blue", "black"),
    ("red", "black", "blue"),
]


@on_one
@pytest.mark.parametrize("values", [*itertools.pairwise(VALUES)])
def test_values_are_added_removed_and_moved(
    trip: Trip, values: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    before, after = values
    trip.run(palette(*before), palette(*after))
    trip.run_again(palette(*after))


@on_one
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([table("b")], [table("b", colored("a"))], id="added"),
        pytest.param(
            [table("b", colored("a"))],
            [table("b", colored("a")), table("c", colored("a"))],
            id="of_another_table",
        ),
        pytest.param(
            [table("b", colored("a")), table("c", colored("a"))],
            [table("b", colored("a"))],
            id="of_a_table_that_goes",
        ),
        pytest.param(
            [table("b", colored("a", name="one"))],
            [table("b", replace(colored("a", name="two"), name="y"))],
            id="another_one",
        ),
        pytest.param(
            [table("b", colored("a", schema="other"))],
            [table("b", colored("a", "b", schema="other"))],
            id="in_a_schema",
        ),
        pytest.param(
            [table("b", colored("a", "b"))],
            [table("b", colored("b", "c"))],
            id="another_default",
        ),
        pytest.param(
            [table("b", colored("a", "b"))],
            [table("b", colored("c", "a", "b"))],
            id="a_new_value_as_the_default",
        ),
    ],
)
def test_a_type_is_there_as_long_as_a_column_has_it(
    trip: Trip, before: list[sa.Table], after: list[sa.Table]
) -> None:
    trip.run(model(*before), model(*after))  # type: ignore[arg-type]


def enum_of(*values: str, name: str = "color") -> sa.MetaData:
    metadata = sa.MetaData()
    identifier = sa.Column("id", sa.Integer, primary_key=True)
    sa.Table("a", metadata, identifier, sa.Column("x", sa.Enum(*values, name=name)))
    return metadata


@on_each_driver
def test_rows_keep_their_values(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(
        tmp_path, engines, backend=backend, metadatas=enum_of("s", "m", "l")
    )
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    caller.execute(project.engine, "INSERT INTO a VALUES (1, 's'), (2, 'l')")
    project.use(enum_of("l", "s", "xl"))
    caller(project.alembic, "revision", "two")

    for target in "heads", "-1", "heads":
        method = "downgrade" if target == "-1" else "upgrade"
        caller(project.alembic, method, target)
        rows = caller.query(project.engine, "SELECT id, x::text FROM a ORDER BY id")
        assert rows == [(1, "s"), (2, "l")]


def colors(*values: str, beside: str, is_used: bool) -> sa.MetaData:
    """A table with an enum, and something else that has a value or the type."""
    metadata = sa.MetaData()
    type_ = postgresql.ENUM(*values, name="color")
    key = sa.Column[Any]("x", type_, primary_key=True)
    a = sa.Table("a", metadata, key, sa.Column[Any]("y", type_))

    if beside == "index" and is_used:
        sa.Index("ix", a.c.y, postgresql_where=sa.text("x = 'c'"))
    elif beside == "table" and is_used:
        sa.Table("b", metadata, sa.Column("x", type_))
    elif beside == "key":
        sa.Table("b", metadata, sa.Column("x", type_, sa.ForeignKey("a.x", name="fk")))
    elif beside == "exclusion":
        where = sa.text("x <> 'a'")
        options: dict[str, Any] = {"using": "btree", "where": where, "name": "ex"}
        a.append_constraint(postgresql.ExcludeConstraint((a.c.y, "="), **options))

    return metadata


@on_one
@pytest.mark.parametrize("beside", ["index", "table", "key", "exclusion"])
def test_a_value_goes_after_what_uses_it_and_comes_before(
    beside: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """What stays is put onto the new type."""
    before = colors("a", "b", "c", beside=beside, is_used=True)
    project = Project(tmp_path, engines, backend=backend, metadatas=before)
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    caller.execute(project.engine, "INSERT INTO a VALUES ('a', 'a'), ('b', 'b')")

    if beside in {"key", "table"}:
        value = "c" if beside == "table" else "a"
        caller.execute(project.engine, f"INSERT INTO b VALUES ('{value}')")

    project.use(colors("a", "b", beside=beside, is_used=False))
    (script,) = caller(project.alembic, "revision", "two")
    assert "alter enum color ['a', 'b']" in {c.description for c in script.changes}

    for step in "upgrade", "downgrade", "upgrade":
        caller(project.alembic, step)

    assert caller(project.alembic, "compare_metadata") == []
    rows = caller.query(project.engine, "SELECT x::text FROM a ORDER BY x")
    assert rows == [("a",), ("b",)]


@on_one
def test_a_value_that_comes_in_the_place_of_another_may_be_the_same_renamed(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, backend=backend, metadatas=enum_of("a", "b"))
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    caller.execute(project.engine, "INSERT INTO a VALUES (1, 'b')")
    project.use(enum_of("a", "c"))
    (script,) = caller(project.alembic, "revision", "two")
    path = Path(script.path)
    code = path.read_text()
    assert "    # If values are renamed, add: renamed={'b': 'c'}\n" in code
    code = code.replace("was=['a', 'b']", "was=['a', 'b'], renamed={'b': 'c'}")
    path.write_text(
        code.replace("was=['a', 'c']", "was=['a', 'c'], renamed={'c': 'b'}")
    )

    for method, target, value in (
        ("upgrade", "heads", "c"),
        ("downgrade", "-1", "b"),
        ("upgrade", "heads", "c"),
    ):
        caller(project.alembic, method, target)
        assert caller.query(project.engine, "SELECT x::text FROM a") == [(value,)]


class Shade(TypeDecorator[str]):
    """A type of an app."""

    impl = sa.Enum("red", "green", name="color")
    cache_ok = True


ENUM = 'sa.Enum("red", "green", name="color")'


@on_each_driver
@pytest.mark.parametrize("at_once", [True, False], ids=["at_once", "one_by_one"])
@pytest.mark.parametrize(
    "type_", [ENUM, f"Shade = __import__({__name__!r}, fromlist=['Shade']).Shade()"]
)
def test_a_type_that_is_there_is_not_created_again(
    type_: str,
    at_once: bool,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """Alembic remembers what it has created as long as the command runs, so that the
    same revisions pass at once and fail one by one, or the other way round.
    """
    project = Project(tmp_path, engines, backend=backend)
    type_ = type_.removeprefix("Shade = ")
    drop = "op.execute('DROP TYPE color')"
    codes = {
        "a1": f"op.create_table('a', sa.Column('x', {type_}))",
        "b2": f"op.create_table('b', sa.Column('x', {type_}))",
        "c3": f"op.drop_table('a')\nop.drop_table('b')\n{drop}",
        "d4": f"op.create_table('d', sa.Column('x', {type_}))",
        "e5": f"op.drop_table('d')\n{drop}\nop.create_table('e', sa.Column('id'))",
        "f6": f"op.add_column('e', sa.Column('x', {type_}))",
    }
    after = None

    for revision, code in codes.items():
        code = code.replace("sa.Column('id')", "sa.Column('id', sa.Integer)")
        write_revision(project.folder, revision, after, code)
        after = revision

    for target in ["heads"] if at_once else codes:
        caller(project.alembic, "upgrade", target)

    assert caller.columns(project.engine, "e") == {"id", "x"}


@on([by_id("sqlite-aiosqlite"), by_id("mariadb-pymysql")])
def test_the_history_runs_on_databases_without_such_types(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """The same one often runs on SQLite in tests."""
    written = Project(
        tmp_path, engines, backend=ASYNCPG, metadatas=enum_of("red", "green")
    )
    make_history(written, caller)
    project = Project(
        tmp_path, engines, backend=backend, metadatas=enum_of("green", "blue")
    )
    caller(project.alembic, "upgrade")
    caller.execute(project.engine, "INSERT INTO a VALUES (1, 'green')")
    caller(project.alembic, "downgrade", "base")
    assert caller.tables(project.engine) == set()


def make_history(project: Project, caller: Caller) -> None:
    """Write and run revisions that create an enum, add a value and remove one."""
    project.use(enum_of("red", "green"))

    for values in ("red", "green"), ("red", "green", "blue"), ("green", "blue"):
        project.use(enum_of(*values))
        caller(project.alembic, "revision", values[-1])
        caller(project.alembic, "upgrade")


@on_each_driver
def test_it_is_written_as_sql(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(
        tmp_path, engines, backend=backend, metadatas=enum_of("red", "green")
    )
    make_history(project, caller)
    sql = caller(project.alembic, "upgrade_sql")["default"]
    assert sql.count("CREATE TYPE color AS ENUM ('red', 'green')") == 1
    assert "ALTER TYPE color ADD VALUE IF NOT EXISTS 'blue' AFTER 'green'" in sql
    assert "CREATE TYPE color AS ENUM (''green'', ''blue'')" in sql
    sql = caller(project.alembic, "downgrade_sql", "base", "heads")["default"]
    assert "DROP TYPE color;" in sql


@on_one
def test_a_package_that_does_the_same_does_it_alone(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "alembic_postgresql_enum"
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    project = Project(tmp_path, engines, backend=backend, metadatas=enum_of("a"))
    (script,) = caller(project.alembic, "revision", "one")
    code = Path(script.path).read_text()
    assert "create_enum" not in code and "create_type" not in code


def test_sqlalchemy_looks_where_we_note_what_is_created() -> None:
    """It asks ``memo`` of what creates a table."""
    enum, domain = postgresql.ENUM(name="x"), postgresql.DOMAIN("x", sa.Integer)
    runner = type("Runner", (), {"memo": {}})()
    types: list[tuple[Any, str]] = [(enum, "pg_enum"), (domain, "pg_DOMAIN")]

    for type_, key in types:
        assert not type_._check_for_name_in_memos(False, {"_ddl_runner": runner})
        assert runner.memo[key] == {(None, "x")}
