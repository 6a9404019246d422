"""Comparing many tables: few queries, and the results of Alembic's own comparison."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import comparators
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from async_alembic import AsyncAlembicError
from async_alembic.autogenerate import default_schema
from async_alembic.autogenerate import type_comparison

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import awaited_only
from ..harness import Caller
from ..harness import queries_of
from ..projects import AS_ALEMBIC
from ..projects import Project
from ..round_trips.models import Model
from ..round_trips.strategies import changes
from .comparing import alembics_differences
from .comparing import shown

PSYCOPG2 = by_id("postgresql-psycopg2")
ASYNCPG = by_id("postgresql-asyncpg")
#: Alembic 1.18 has added plugins, and reads tables at once.
plugins = pytest.mark.skipif(
    not hasattr(comparators, "populate_with"), reason="Alembic reads tables one by one"
)


made_up = settings(
    max_examples=6,
    # To find a smaller example would take minutes.
    phases=[Phase.generate],
    derandomize=True,
    deadline=None,
    suppress_health_check=[*HealthCheck],
)


def tables(count: int, text: str, schema: str | None = None) -> sa.MetaData:
    """Models with defaults that only the server can compare, each one a bit."""
    metadata = sa.MetaData()

    for number in range(count):
        sa.Table(
            f"t{number}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.Text, server_default=sa.text(f"lower('{text}')")),
            sa.Column("note", sa.Text, server_default=sa.text(f"upper('n{number}')")),
            sa.Column("at", sa.DateTime, server_default=sa.func.now(), index=True),
            schema=schema,
        )

    return metadata


def create(caller: Caller, project: Project, metadata: sa.MetaData) -> None:
    caller.begin(project.engine, metadata.create_all)


class TestTheQueries:
    @plugins
    @on([PSYCOPG2, ASYNCPG])
    @pytest.mark.parametrize("method", ["compare_metadata", "revision"])
    @pytest.mark.parametrize("changed", [False, True], ids=["same", "changed"])
    def test_are_as_many_for_fifty_tables_as_for_five(
        self,
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
        method: str,
        changed: bool,
    ) -> None:
        counts = []

        for count in 5, 50:
            metadata = tables(count, "B" if changed else "A")
            project = Project(
                tmp_path / str(count), engines, backend=backend, metadatas=metadata
            )
            create(caller, project, tables(count, "A"))
            args = ["change"] if method == "revision" else []
            queries = queries_of(project.engine)
            result = caller(project.alembic, method, *args)
            counts.append(len(queries))
            assert bool(result) is changed

            if changed and method == "compare_metadata":
                assert len(result) == count

        assert counts[0] == counts[1] < 25

    @plugins
    @awaited_only
    @on([PSYCOPG2])
    def test_are_few_in_every_schema(
        self,
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
    ) -> None:
        """Alembic reads all tables at once, but those of other schemas one by one."""
        metadata = tables(20, "A", "other")
        project = Project(
            tmp_path,
            engines,
            backend=backend,
            metadatas=metadata,
            # With it, Alembic compares all tables.
            context={"include_schemas": True, "include_object": lambda *args: True},
        )
        caller.execute(project.engine, "CREATE SCHEMA other")
        create(caller, project, metadata)
        create(caller, project, tables(1, "A"))
        project.app.config |= AS_ALEMBIC
        queries = queries_of(project.engine)
        ((kind, _),) = caller(project.alembic, "compare_metadata")[-1:]
        assert kind == "remove_table"
        assert len(queries) < 40

    @awaited_only
    @on([PSYCOPG2])
    def test_ask_nothing_that_alembic_would_not_ask(
        self,
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
    ) -> None:
        """A function that a column is filled with may have an effect."""

        def include(item: Any, name: Any, *args: Any) -> bool:
            return bool(name != "note")

        project = Project(
            tmp_path,
            engines,
            backend=backend,
            metadatas=tables(2, "A"),
            context={"include_object": include},
        )
        create(caller, project, tables(2, "A"))
        queries = queries_of(project.engine)
        assert caller(project.alembic, "compare_metadata") == []
        assert any("lower('A')" in query for query in queries)
        assert not any("upper" in query for query in queries)

    @on([PSYCOPG2, ASYNCPG])
    @pytest.mark.parametrize(
        "options", [{}, {"isolation_level": "AUTOCOMMIT"}], ids=str
    )
    @pytest.mark.parametrize("filtered", [False, True])
    def test_end_with_the_error_of_the_default_that_is_invalid(
        self,
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
        options: dict[str, Any],
        filtered: bool,
    ) -> None:
        """It is that of Alembic, and names no other default."""
        metadata = tables(3, "A")
        unknown = sa.text("no_such_function()")
        sa.Table("x", metadata, sa.Column("x", sa.Text, server_default=unknown))
        project = Project(
            tmp_path,
            lambda backend: engines(backend, **options),  # type: ignore[arg-type]
            backend=backend,
            metadatas=metadata,
            context={"include_object": lambda *args: True} if filtered else {},
        )
        create(caller, project, tables(3, "A"))
        caller.execute(project.engine, "CREATE TABLE x (x text DEFAULT upper('x'))")

        with pytest.raises(DBAPIError) as expected:
            alembics_differences(caller, project.engine, metadata)

        with pytest.raises(AsyncAlembicError) as caught:
            caller(project.alembic, "compare_metadata")

        error = caught.value.__cause__
        assert isinstance(error, DBAPIError)
        assert "no_such_function()" in str(error.statement)
        assert "lower('A')" not in str(error.statement)
        assert type(error) is type(expected.value)


class TestTheResults:
    """They are those of Alembic, whether it compares a table or is kept from it."""

    @made_up
    @given(models=changes("postgresql"))
    def test_are_alembics_for_made_up_models(
        self,
        engine: sa.Engine,
        runner: asyncio.Runner,
        tmp_path: Path,
        models: tuple[Model, Model],
    ) -> None:
        caller = Caller(runner, awaited=False)
        before, after = models

        for found, wanted in (before, before), (before, after), (after, before):
            project = project_with(engine, tmp_path, wanted.metadata())
            caller.execute(project.engine, *EMPTY, "CREATE SCHEMA other")
            create(caller, project, found.metadata())
            assert_like_alembic(caller, project, include_schemas=True)

    @pytest.mark.parametrize("is_filtered", [False, True])
    @made_up
    @given(data=st.data())
    def test_are_alembics_for_made_up_defaults(
        self,
        engine: sa.Engine,
        runner: asyncio.Runner,
        tmp_path: Path,
        is_filtered: bool,
        data: st.DataObject,
    ) -> None:
        caller = Caller(runner, awaited=False)
        found, wanted = data.draw(defaults()), data.draw(defaults())
        context = {"include_object": lambda *args: True} if is_filtered else {}
        project = project_with(engine, tmp_path, wanted, **context)
        caller.execute(project.engine, *EMPTY)
        create(caller, project, found)
        assert_like_alembic(caller, project)

    @awaited_only
    def test_know_which_sequences_belong_to_a_column(
        self,
        engine: sa.Engine,
        caller: Caller,
        tmp_path: Path,
    ) -> None:
        """Alembic leaves their defaults out, but only of some types."""
        metadata = sa.MetaData()
        names = ["id", "small", "big", "shared", "Quoted", "it's"]
        columns = [sa.Column(name, sa.Integer) for name in names]
        sa.Table("t", metadata, *columns, sa.Column("plain", sa.Integer))
        sa.Table("u", metadata, sa.Column("shared", sa.Integer), schema="other")
        project = project_with(engine, tmp_path, metadata, include_schemas=True)
        caller.execute(
            project.engine,
            "CREATE SCHEMA other",
            "CREATE SEQUENCE free",
            "CREATE TABLE t (id serial, small smallserial, big bigserial,"
            " shared integer DEFAULT nextval('free'), \"Quoted\" serial,"
            " \"it's\" serial, plain integer DEFAULT nextval('t_id_seq'))",
            "CREATE TABLE other.u (shared serial)",
        )

        # Alembic's query does not find a name with a quote.
        caller.execute(project.engine, 'ALTER TABLE t DROP COLUMN "it\'s"')
        assert assert_like_alembic(caller, project, include_schemas=True) != []

    @plugins
    @awaited_only
    def test_are_those_of_whoever_takes_part(
        self,
        engine: sa.Engine,
        caller: Caller,
        tmp_path: Path,
    ) -> None:
        """Tables are compared by Alembic if any other function is to see them."""
        seen: Counter[str] = Counter()

        def listen(inspector: Any, table: Any, column: Any) -> None:
            seen["event"] += 1

        def compare_type(*args: Any) -> None:
            seen["type"] += 1

        def compare_default(*args: Any) -> None:
            seen["default"] += 1

        def include_object(*args: Any) -> bool:
            seen["object"] += 1
            return True

        def compare_table(*args: Any) -> None:
            seen["plugin"] += 1

        metadata = tables(1, "A")
        sa.event.listen(sa.Table, "column_reflect", listen)

        try:
            project = project_with(engine, tmp_path / "event", metadata)
            create(caller, project, metadata)
            assert caller(project.alembic, "compare_metadata") == []
        finally:
            sa.event.remove(sa.Table, "column_reflect", listen)

        for context in (
            {"compare_type": compare_type},
            {"compare_server_default": compare_default},
            {"include_object": include_object},
        ):
            root = tmp_path / next(iter(context))
            project = project_with(engine, root, metadata, **context)
            assert caller(project.alembic, "compare_metadata") == []

        from alembic.runtime.plugins import Plugin

        plugin = Plugin("shop.tables")
        plugin.add_autogenerate_comparator(compare_table, "table", "indexes")  # type: ignore[arg-type]

        try:
            listed = ["alembic.autogenerate.*", "shop.tables"]
            root = tmp_path / "plugin"
            project = project_with(engine, root, metadata, autogenerate_plugins=listed)
            create(caller, project, metadata)
            assert caller(project.alembic, "compare_metadata") == []
        finally:
            plugin.remove()

        assert seen.keys() == {"event", "type", "default", "object", "plugin"}

    def test_can_tell_who_takes_part(self) -> None:
        """By a private name, which any release of Alembic may remove."""
        assert not comparators._registry or isinstance(comparators._registry, dict)


#: What Alembic overlooks, or changes again and again, is found by these plugins of ours
#: alone.
PUT_RIGHT = type_comparison.comparison.with_plugin(
    default_schema.comparison.with_plugin({})
)
#: Makes a database that an earlier example has used as good as new.
EMPTY = ["DROP SCHEMA IF EXISTS other, public CASCADE", "CREATE SCHEMA public"]


@pytest.fixture
def engine(postgres_server: object, engines: EngineFactory) -> sa.Engine:
    return engines.synchronous(PSYCOPG2, poolclass=sa.NullPool)


def project_with(
    engine: sa.Engine, root: Path, metadata: sa.MetaData, **context: Any
) -> Project:
    """An app with a database that may have been used before."""
    engines: Any = lambda backend: engine  # noqa: E731
    return Project(root, engines, backend=PSYCOPG2, metadatas=metadata, context=context)


def assert_like_alembic(caller: Caller, project: Project, **options: Any) -> list[str]:
    project.app.config["ALEMBIC_CONTEXT"].update(options)
    project.app.config |= AS_ALEMBIC

    try:
        expected = alembics_differences(
            caller, project.engine, project.metadatas, **PUT_RIGHT, **options
        )
    except DBAPIError:
        # What it cannot compare is compared by text here, see test_round_trips.
        return []

    found = shown(caller(project.alembic, "compare_metadata"))
    assert [*filter(_is_alembics, found)] == [*filter(_is_alembics, expected)]
    return expected


def _is_alembics(difference: str) -> bool:
    """Alembic compares neither enums nor sequences by itself."""
    return not re.match(r"'\w+_(enum|sequence)'", difference)


#: Types, with defaults that mean the same and others.
KINDS: list[tuple[sa.types.TypeEngine[Any], list[Any]]] = [
    (sa.String(20), ["new", "old", sa.text("'new'"), sa.text("lower('NEW')")]),
    (
        sa.Text(),
        [sa.func.lower("NEW"), sa.text("LOWER( 'NEW' )"), sa.text("(('new'))")],
    ),
    (sa.Integer(), ["0", "1", sa.text("0"), sa.text("1 - 1"), sa.text("'0'")]),
    (sa.Numeric(8, 2), ["9.5", "9.50", sa.text("9.5"), sa.text("19 / 2.0")]),
    (sa.Boolean(), [sa.true(), sa.false(), "false", sa.text("(not true)"), "f"]),
    (sa.Date(), ["2030-01-01", sa.text("'2030-01-01'"), sa.text("CURRENT_DATE")]),
    (sa.DateTime(), [sa.func.now(), sa.text("now()"), sa.text("CURRENT_TIMESTAMP")]),
    (sa.Interval(), ["1 day", "2 days", sa.text("interval '1 day'")]),
    (
        postgresql.JSONB(),
        [sa.text("'{}'"), sa.text("'{}'::jsonb"), sa.text("'{\"a\": 1}'")],
    ),
    (postgresql.ARRAY(sa.Text), ["{}", sa.text("'{}'"), sa.text("ARRAY['a']")]),
    (
        sa.Enum("new", "old", name="state"),
        ["new", "old", sa.text("'new'"), sa.text("'new'::state")],
    ),
]


@st.composite
def defaults(draw: Any) -> sa.MetaData:
    """Two tables whose columns have some of these defaults, or none."""
    metadata = sa.MetaData()

    for table in "a", "b":
        columns = [
            sa.Column(
                f"c{number}",
                type_,
                server_default=draw(st.sampled_from([None, *values])),
                nullable=draw(st.sampled_from([True, True, True, False])),
            )
            for number, (type_, values) in enumerate(KINDS)
        ]
        sa.Table(table, metadata, *columns)

    return metadata
