"""What tables need beside themselves, and what databases have beside tables."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from async_alembic.autogenerate.plugins import HAS_PLUGINS

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..backends import POSTGRESQL_BACKENDS
from ..direct import blocking_url
from ..harness import Caller
from ..harness import ONE_OF_EACH_KIND
from ..projects import Project

PSYCOPG, ASYNCPG = by_id("postgresql-psycopg"), by_id("postgresql-asyncpg")
on_each_driver = on([PSYCOPG, ASYNCPG])
on_one = on([ASYNCPG])

#: Before, Alembic itself reads less of a table, and writes less.
pytestmark = pytest.mark.skipif(not HAS_PLUGINS, reason="Alembic 1.18 is needed")

BITS = {sa.SmallInteger: 16, sa.Integer: 32, sa.BigInteger: 64}
Make = Callable[..., sa.MetaData]


@pytest.fixture
def make(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> Callable[..., Project]:
    """Make a project, and migrate it from models to models, back and there again."""

    def migrate(*models: sa.MetaData) -> Project:
        project = Project(tmp_path, engines, backend=backend, metadatas=sa.MetaData())

        for metadata in models:
            project.use(metadata)
            caller(project.alembic, "revision", "change")
            caller(project.alembic, "upgrade")
            assert caller(project.alembic, "compare_metadata") == []

        for _ in models:
            caller(project.alembic, "downgrade", "-1")

        assert things(caller, project) == []
        caller(project.alembic, "upgrade")
        assert caller(project.alembic, "compare_metadata") == []
        return project

    return migrate


def things(caller: Caller, project: Project) -> list[Any]:
    """The names of what a database has beside the version table."""
    return caller.query(
        project.engine,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relname !~ '^alembic_version'"
        " UNION SELECT typname FROM pg_type WHERE typtype = 'e'"
        " AND typnamespace = 'public'::regnamespace",
    )


def models(*items: Any, **options: Any) -> sa.MetaData:
    metadata = sa.MetaData()
    identifier = sa.Column("id", sa.Integer, primary_key=True)
    made = [item(metadata) if callable(item) else item for item in items]
    sa.Table("a", metadata, identifier, *made, **options)
    return metadata


def numbered(start: int, *, python: bool = False) -> Callable[[sa.MetaData], Any]:
    """A column that takes its values from a sequence."""

    def column(metadata: sa.MetaData) -> sa.Column[Any]:
        sequence = sa.Sequence("Order No", metadata=metadata, start=start, cycle=True)
        default = None if python else sequence.next_value()
        more = [sequence] if python else []
        return sa.Column("number", sa.Integer, *more, server_default=default)

    return column


class TestSequences:
    @on_each_driver
    @pytest.mark.parametrize("python", [False, True], ids=["server", "python"])
    def test_are_created_before_what_needs_them(
        self, make: Callable[..., Project], caller: Caller, python: bool
    ) -> None:
        project = make(models(), models(numbered(1000, python=python)))
        rows = caller.query(project.engine, "SELECT nextval('\"Order No\"')")
        assert rows == [(1000,)]

    @on_one
    def test_are_dropped_with_the_last_column(
        self, make: Callable[..., Project], caller: Caller
    ) -> None:
        project = make(models(numbered(5)), models())
        assert ("Order No",) not in things(caller, project)
        caller(project.alembic, "downgrade", "-1")
        rows = caller.query(
            project.engine,
            "SELECT start_value, cycle FROM pg_sequences"
            " WHERE sequencename = 'Order No'",
        )
        assert rows == [(5, True)]

    @on_each_driver
    @pytest.mark.parametrize(
        ("before", "after", "name", "schema"),
        [
            (sa.Integer, sa.BigInteger, "a", None),
            (sa.BigInteger, sa.Integer, "a", "public"),
            (sa.SmallInteger, sa.Integer, "A %s: b", None),
            (sa.BigInteger, sa.SmallInteger, "A %s: b", None),
        ],
    )
    def test_of_columns_get_their_new_type(
        self,
        make: Callable[..., Project],
        caller: Caller,
        before: type[sa.Integer],
        after: type[sa.Integer],
        name: str,
        schema: str | None,
    ) -> None:
        """Otherwise, inserts fail in the end, as the sequence is at its limit."""

        def serial(type_: type[sa.Integer]) -> sa.MetaData:
            metadata = sa.MetaData(schema=schema)
            key = sa.Column("id", type_, primary_key=True)
            sa.Table(name, metadata, key, sa.Column("x", type_))
            return metadata

        def limit() -> Any:
            query = "SELECT max_value FROM pg_sequences"
            return caller.query(project.engine, query)

        project = make(serial(before), serial(after))
        assert limit() == [(2 ** (BITS[after] - 1) - 1,)]
        caller(project.alembic, "downgrade", "-1")
        assert limit() == [(2 ** (BITS[before] - 1) - 1,)]

    @on_one
    def test_of_identities_are_left_to_the_server(
        self, make: Callable[..., Project], caller: Caller
    ) -> None:
        def identity(type_: type[sa.Integer]) -> sa.MetaData:
            metadata = sa.MetaData()
            key = sa.Column("id", type_, sa.Identity(), primary_key=True)
            sa.Table("a", metadata, key)
            return metadata

        project = make(identity(sa.Integer), identity(sa.BigInteger))
        assert b"alter_sequence" not in b"".join(project.files().values())
        limits = caller.query(project.engine, "SELECT max_value FROM pg_sequences")
        assert limits == [(2**63 - 1,)]


@on_one
@pytest.mark.parametrize("name", ["no_overlap", None])
def test_operator_classes_of_an_exclusion_are_kept(
    make: Callable[..., Project], caller: Caller, name: str | None
) -> None:
    """SQLAlchemy loses them where it copies the constraint."""
    exclusion = postgresql.ExcludeConstraint(
        ("net", "&&"), using="gist", ops={"net": "inet_ops"}, name=name
    )
    project = make(models(sa.Column("net", postgresql.INET), exclusion))
    ((definition,),) = caller.query(
        project.engine,
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'x'",
    )
    assert definition == "EXCLUDE USING gist (net inet_ops WITH &&)"


@on_each_driver
def test_what_a_column_has_from_its_domain_is_no_difference(
    make: Callable[..., Project],
) -> None:
    positive = postgresql.DOMAIN(
        "positive", sa.Integer, check="VALUE > 0", not_null=True, default="7"
    )
    make(
        models(sa.Column("x", positive)),
        models(sa.Column("x", positive), sa.Column("y", positive)),
    )


@on_one
def test_a_domain_is_created_before_a_column_needs_it(
    make: Callable[..., Project], caller: Caller
) -> None:
    positive = postgresql.DOMAIN("positive", sa.Integer, check="VALUE > 0")
    make(models(), models(sa.Column("x", positive)))


@on([b for b in ONE_OF_EACH_KIND if not b.is_async])
def test_views_of_models_are_not_compared(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Alembic makes an empty table of a view."""
    create_view = pytest.importorskip("sqlalchemy", minversion="2.1").CreateView
    metadata = models(sa.Column("x", sa.Enum("a", name="x")))
    create_view(sa.select(metadata.tables["a"]), "v", metadata=metadata)
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)

    with caplog.at_level(logging.WARNING, "async_alembic"):
        (script,) = caller(project.alembic, "revision", "one")

    assert "have views, which are not compared: 'v'." in caplog.text
    assert "'v'" not in Path(script.path).read_text()
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "compare_metadata") == []
    caller.execute(project.engine, "CREATE VIEW v AS SELECT * FROM a")
    assert caller(project.alembic, "compare_metadata") == []


def indexed(*, columns: str = "xy", **options: Any) -> sa.MetaData:
    metadata = models(*(sa.Column(name, sa.Integer) for name in columns))
    sa.Index("ix", metadata.tables["a"].c.x, **options)
    return metadata


def texts(**options: Any) -> sa.MetaData:
    metadata = models(sa.Column("x", sa.Text))
    sa.Index("ix", metadata.tables["a"].c.x, **options)
    return metadata


def unique(**options: Any) -> sa.MetaData:
    constraint = sa.UniqueConstraint("x", name="uq", **options)
    return models(sa.Column("x", sa.Integer), sa.Column("y", sa.Integer), constraint)


@on_one
@pytest.mark.parametrize(
    ("of", "options"),
    [
        (indexed, {"postgresql_include": ["y"]}),
        (indexed, {"postgresql_using": "hash"}),
        pytest.param(
            texts,
            {"postgresql_ops": {"x": "text_pattern_ops"}},
            marks=pytest.mark.skipif(
                sa.__version__.startswith("2.0."), reason="It reads no classes."
            ),
        ),
        (indexed, {"postgresql_with": {"fillfactor": 70}}),
        (indexed, {"postgresql_where": sa.text("y > 1")}),
        (indexed, {"unique": True, "postgresql_nulls_not_distinct": True}),
        (unique, {"postgresql_include": ["y"]}),
        (unique, {"postgresql_nulls_not_distinct": True}),
        (unique, {"deferrable": True}),
        (unique, {"deferrable": True, "initially": "DEFERRED"}),
    ],
)
def test_options_are_added_and_removed(
    make: Callable[..., Project],
    caller: Caller,
    of: Make,
    options: dict[str, Any],
) -> None:
    """Alembic overlooks most of them."""
    project = make(of(), of(**options), of())
    definitions = (
        "SELECT pg_get_indexdef(indexrelid), condeferrable, condeferred FROM pg_index"
        " LEFT JOIN pg_constraint ON conindid = indexrelid"
        " WHERE indexrelid IN (to_regclass('ix'), to_regclass('uq'))"
    )
    plain = caller.query(project.engine, definitions)
    caller(project.alembic, "downgrade", "-1")
    changed = caller.query(project.engine, definitions)
    caller(project.alembic, "downgrade", "-1")
    assert caller.query(project.engine, definitions) == plain != changed
    project.use(of(**options))
    assert caller(project.alembic, "compare_metadata") != []


@on_one
def test_sequences_are_compared_without_taking_their_values(
    make: Callable[..., Project], caller: Caller
) -> None:
    """Alembic asks for the next value of both."""

    def numbered(name: str) -> sa.MetaData:
        sequence = sa.Sequence(name)
        default = sequence.next_value()
        return models(sa.Column("x", sa.Integer, server_default=default))

    project = make(numbered("one"), numbered("two"))
    assert caller(project.alembic, "compare_metadata") == []
    values = caller.query(project.engine, "SELECT last_value, is_called FROM two")
    assert values == [(1, False)]


def condition(text: str) -> sa.MetaData:
    return indexed(postgresql_where=sa.text(text))


def expression(order: str) -> sa.MetaData:
    metadata = models(sa.Column("x", sa.Integer))
    text = sa.cast(metadata.tables["a"].c.x, sa.String(10))
    sa.Index("ix", text.desc() if order == "desc" else text)
    return metadata


@on_each_driver
@pytest.mark.parametrize(
    ("of", "one", "other"),
    [
        (condition, "y > 1", "y > 2"),
        (condition, "(x > 1 OR y > 1) AND x > 5", "x > 1 OR y > 1 AND x > 5"),
        (expression, "asc", "desc"),
    ],
)
def test_the_server_compares_expressions_and_conditions(
    make: Callable[..., Project], caller: Caller, of: Make, one: str, other: str
) -> None:
    project = make(of(one), of(other), of(one))
    project.use(of(other))
    assert caller(project.alembic, "compare_metadata") != []
    project.app.config["ALEMBIC_SESSION"] = {"default_transaction_read_only": "on"}
    project.use(of(one))
    caller(project.alembic, "compare_metadata")


@on(POSTGRESQL_BACKENDS)
def test_colons_that_are_not_escaped_are_no_difference(
    make: Callable[..., Project],
) -> None:
    metadata = models(
        sa.Column("code", sa.Text, server_default=sa.text("':none 1%'")),
        sa.Column("short", sa.Text, sa.Computed("replace(code, ':x%', '')", True)),
        sa.CheckConstraint("code <> ':none 2%'", name="ck"),
        postgresql.ExcludeConstraint(
            ("code", "="), name="ex", using="btree", where=sa.text("code <> ':none 3%'")
        ),
    )
    code = metadata.tables["a"].c.code
    where = sa.text("code <> ':none 4%'")
    sa.Index("ix", code, unique=True, postgresql_where=where)
    sa.Index("ix_text", sa.text("replace(code, ':x 5%', '')"), _table=code.table)
    sa.Index("ix_func", sa.func.replace(code, ":x 6%", ""))
    make(metadata)


@on_one
def test_an_index_that_is_invalid_is_named(
    make: Callable[..., Project], caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    project = make(models(sa.Column("x", sa.Integer)))
    caller.execute(project.engine, "INSERT INTO a VALUES (1, 1), (2, 1)")
    url = blocking_url(project.engine.url)
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    with engine.connect() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.exec_driver_sql("CREATE UNIQUE INDEX CONCURRENTLY ix ON a (x)")

    project.use(indexed(unique=True, columns="x"))

    with caplog.at_level(logging.WARNING, "async_alembic"):
        assert caller(project.alembic, "compare_metadata") == []

    assert "has invalid indexes, which it does not use, as creating" in caplog.text
    assert "failed: 'ix on a'." in caplog.text


@on_one
@pytest.mark.filterwarnings("ignore:Could not parse CHECK constraint text")
@pytest.mark.parametrize("state", ["NOT VALID", "NOT ENFORCED"])
def test_checks_that_are_not_valid_come_back_as_they_were(
    make: Callable[..., Project], caller: Caller, state: str
) -> None:
    """SQLAlchemy cannot create them with a table."""
    first = models(sa.Column("x", sa.Integer))
    project = make(first)
    caller.execute(
        project.engine,
        f'ALTER TABLE a ADD CONSTRAINT "No 7" CHECK (x <> 7) {state}',
        "ALTER TABLE a ADD CHECK (x <> 8)",
    )
    definitions = (
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'c' ORDER BY conname"
    )
    before = caller.query(project.engine, definitions)
    assert before[0] == ("No 7", f"CHECK ((x <> 7)) {state}")
    assert caller(project.alembic, "compare_metadata") == []
    project.use(sa.MetaData())
    caller(project.alembic, "revision", "drop")

    for method, target in ("upgrade", "heads"), ("downgrade", "-1"):
        caller(project.alembic, method, target)

    assert caller.query(project.engine, definitions) == before
    caller(project.alembic, "upgrade")
    assert things(caller, project) == []


@on_each_driver
def test_the_type_of_a_number_that_counts_by_itself_changes(
    make: Callable[..., Project], caller: Caller
) -> None:
    """Alembic warns of an option of its own that only MySQL has."""
    big = sa.MetaData()
    sa.Table("a", big, sa.Column("id", sa.BigInteger, primary_key=True))
    make(models(), big)


def exclusion(name: str | None = "no overlap", **options: Any) -> Any:
    options = {"using": "gist", "ops": {"x": "range_ops"}, **options}
    return postgresql.ExcludeConstraint(("x", "&&"), name=name, **options)


def ranges(*exclusions: Any, **options: Any) -> sa.MetaData:
    return models(sa.Column("x", postgresql.INT4RANGE), *exclusions, **options)


def exclusions(caller: Caller, project: Project) -> list[str]:
    rows = caller.query(
        project.engine,
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'x' ORDER BY conname",
    )
    assert all(row[1].startswith("EXCLUDE USING gist (x WITH &&)") for row in rows)
    return [row[0] for row in rows]


class TestExclusions:
    @on_each_driver
    @pytest.mark.parametrize(
        ("before", "after"),
        [([], ["x1"]), (["A %s: b"], []), (["x1", "x3"], ["x2", "x3"])],
        ids=["added", "removed", "another"],
    )
    @pytest.mark.parametrize("schema", [None, "public"])
    def test_of_a_table_that_is_there_are_those_of_the_model(
        self,
        make: Callable[..., Project],
        caller: Caller,
        before: list[str],
        after: list[str],
        schema: str | None,
    ) -> None:
        old = ranges(*map(exclusion, before), schema=schema)
        project = make(old, ranges(*map(exclusion, after), schema=schema))
        assert exclusions(caller, project) == after
        caller(project.alembic, "downgrade", "-1")
        assert exclusions(caller, project) == before

    @on_one
    def test_are_created_and_dropped_with_a_column(
        self, make: Callable[..., Project], caller: Caller
    ) -> None:
        condition = sa.text("x <> '[1,2]'::int4range")
        project = make(models(), ranges(exclusion(where=condition)), models())
        assert exclusions(caller, project) == []
        caller(project.alembic, "downgrade", "-1")
        assert exclusions(caller, project) == ["no overlap"]

    @on_one
    def test_come_back_with_their_table(
        self, make: Callable[..., Project], caller: Caller
    ) -> None:
        project = make(ranges(exclusion()), sa.MetaData())
        caller(project.alembic, "downgrade", "-1")
        assert exclusions(caller, project) == ["no overlap"]

    @on_one
    def test_are_dropped_from_a_renamed_table(
        self, make: Callable[..., Project], caller: Caller
    ) -> None:
        project = make(ranges(exclusion()))
        metadata = sa.MetaData()
        ranges().tables["a"].to_metadata(metadata, name="B %s")
        project.use(metadata)
        caller(project.alembic, "revision", "rename", rename="a:B %s")

        for step in "upgrade", "downgrade":
            caller(project.alembic, step)
            found = exclusions(caller, project)
            assert found == ([] if step == "upgrade" else ["no overlap"])

    @on_one
    def test_without_a_name_are_those_that_the_server_has_named(
        self, make: Callable[..., Project], caller: Caller
    ) -> None:
        project = make(ranges(exclusion(None)))
        project.use(ranges(exclusion(None), comment="x"))
        (script,) = caller(project.alembic, "revision", "comment")
        assert [change.description for change in script.changes] == [
            "add table comment a"
        ]

    @on_one
    @pytest.mark.parametrize("is_added", [True, False])
    def test_are_left_out_by_a_filter(
        self,
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
        is_added: bool,
    ) -> None:
        without, with_one = ranges(), ranges(exclusion())
        before, after = (without, with_one) if is_added else (with_one, without)
        project = Project(
            tmp_path,
            engines,
            backend=backend,
            metadatas=after,
            context={"include_object": lambda item, name, *_: name != "no overlap"},
        )
        caller.begin(project.engine, before.create_all)
        assert caller(project.alembic, "compare_metadata") == []
