"""PostgreSQL compares server defaults, and executes none of their functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from async_alembic.autogenerate.plugins import HAS_PLUGINS

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..backends import POSTGRESQL_BACKENDS
from ..harness import Caller
from ..projects import Project

pytestmark = on(POSTGRESQL_BACKENDS)

OBJECTS = (
    "CREATE SEQUENCE s",
    "CREATE TABLE log (x integer)",
    "CREATE FUNCTION own() RETURNS integer LANGUAGE sql AS"
    " $$ INSERT INTO log VALUES (1); SELECT nextval('s')::integer $$",
)
INVOICE = sa.text("'INV-' || nextval('s')")
STATE = sa.Enum("new", "old", name="50% state")
READ_ONLY = {"default_transaction_read_only": "on"}


class Point(sa.types.UserDefinedType[Any]):
    """A type that SQLAlchemy does not read."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "point"


def models(*defaults: tuple[Any, Any]) -> sa.MetaData:
    """A table with columns of these types, with these server defaults."""
    metadata = sa.MetaData()
    sa.Table("log", metadata, sa.Column("x", sa.Integer))
    columns = [
        sa.Column(f"c{number}", type_, server_default=default)
        for number, (type_, default) in enumerate(defaults)
    ]
    sa.Table("a", metadata, *columns)
    return metadata


@pytest.fixture
def project(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> Project:
    made = Project(tmp_path, engines, backend=backend, metadatas=sa.MetaData())
    caller.execute(made.engine, *OBJECTS)
    return made


def differences(caller: Caller, project: Project, metadata: sa.MetaData) -> list[Any]:
    project.use(metadata)
    found: list[Any] = caller(project.alembic, "compare_metadata")
    return found


def create(caller: Caller, project: Project, metadata: sa.MetaData) -> None:
    caller.begin(project.engine, metadata.create_all)


@pytest.mark.parametrize("session", [{}, READ_ONLY], ids=["writes", "read-only"])
@pytest.mark.parametrize("context", [{}, {"include_object": lambda *args: True}])
def test_their_functions_are_not_executed(
    project: Project, caller: Caller, session: dict[str, str], context: dict[str, Any]
) -> None:
    """Each comparison used up values of sequences, and committed what they wrote."""
    made = models(
        (sa.Integer, sa.text("public.own()")),
        (sa.Text, INVOICE),
        (sa.Text, sa.text("gen_random_uuid()::text")),
        (sa.Uuid, sa.text("GEN_RANDOM_UUID()")),
        (sa.Integer, sa.text("nextval('public.s')")),
    )
    create(caller, project, made)
    project.app.config["ALEMBIC_SESSION"] = session
    project.app.config["ALEMBIC_CONTEXT"] = context
    assert differences(caller, project, made) == []
    changed = models(
        (sa.Integer, sa.text("public.own() + 1")),
        (sa.Text, sa.text("'ORD-' || nextval('s')")),
        (sa.Text, sa.text("left(gen_random_uuid()::text, 8)")),
        (sa.Uuid, sa.text("uuidv7()")),
        (sa.Integer, sa.text("nextval('missing')")),
    )
    assert len(differences(caller, project, changed)) == 5
    values = caller.query(project.engine, "SELECT last_value, is_called FROM s")
    assert values == [(1, False)]
    assert caller.query(project.engine, "SELECT x FROM log") == []


@pytest.mark.parametrize(
    ("type_", "one", "other"),
    [
        (sa.String(20), sa.text("'x'::text"), "x"),
        (sa.String(20, collation="C"), sa.text("lower('X')"), "x"),
        (Point(), sa.text("point(1, 2)"), "(1,2)"),
        (sa.Text, sa.text("'a' || 'b'"), "ab"),
        (sa.Text, sa.text(r"lower('50% \:x')"), sa.text("LOWER( '50% :x'::text )")),
        (sa.DateTime, sa.text("now()"), sa.text("CURRENT_TIMESTAMP")),
        (sa.DateTime, sa.text("(now() at time zone 'utc')"), None),
        (sa.Integer, sa.text("1"), "1"),
        (sa.Integer, sa.text("2 - 1"), sa.text("'1'")),
        (sa.Numeric(8, 2), sa.text("19 / 2.0"), "9.5"),
        (sa.Boolean, sa.true(), "true"),
        (sa.Boolean, sa.text("(not true)"), "f"),
        (postgresql.ARRAY(sa.Text), sa.text("ARRAY['a']"), "{a}"),
        (postgresql.ARRAY(sa.Text), sa.text("ARRAY[]::text[]"), sa.text("'{}'")),
        (sa.JSON, sa.text("json_build_array(1)"), None),
        (postgresql.JSONB, sa.text("""'{"a": 1}'::jsonb"""), '{"a":1}'),
        (STATE, sa.text("""(lower('NEW')::"50% state")"""), None),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Did not recognize type")
def test_may_be_spelled_in_several_ways(
    project: Project, caller: Caller, type_: Any, one: Any, other: Any
) -> None:
    """The database may also be read-only, as a replica is."""
    found = models((type_, one))
    create(caller, project, found)
    project.app.config["ALEMBIC_SESSION"] = READ_ONLY
    assert differences(caller, project, found) == []

    if other is not None:
        assert differences(caller, project, models((type_, other))) == []


@pytest.mark.parametrize(
    ("type_", "found", "new"),
    [
        (sa.Text, sa.text("current_user"), sa.text("user || ''")),
        (sa.Date, sa.text("CURRENT_DATE"), sa.text("CURRENT_DATE + 1")),
        (sa.JSON, sa.text("json_build_array(1)"), sa.text("json_build_array(2)")),
        (sa.Interval, "1 day", "24 hours"),
        (sa.Text, "a", sa.text("lower('a')::later::text")),
        (sa.Integer, "1", sa.text("nextval('later.s')")),
    ],
    ids=str,
)
def test_differ_if_they_are_other_expressions(
    project: Project, caller: Caller, type_: Any, found: Any, new: Any
) -> None:
    """Their values may be the same now, and what they name may not be there yet."""
    create(caller, project, models((type_, found)))
    assert len(differences(caller, project, models((type_, new)))) == 1


def test_keep_the_sequences_that_they_name(project: Project, caller: Caller) -> None:
    create(caller, project, models((sa.Text, INVOICE), (sa.Integer, "1")))
    named = models((sa.Text, "none"), (sa.Integer, sa.text("nextval('public.S')")))
    assert "drop_sequence" not in str(differences(caller, project, named))
    plain = models((sa.Text, "none"), (sa.Integer, "1"))
    assert "drop_sequence" in str(differences(caller, project, plain))


@pytest.mark.skipif(not HAS_PLUGINS, reason="Alembic 1.18 is needed")
def test_have_the_sequences_of_the_tenant(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    options = {"schema_translate_map": {None: "tenant"}}
    engine = engines(backend, execution_options=options)
    metadata = sa.MetaData()
    number = sa.Sequence("s", metadata=metadata).next_value()
    sa.Table("a", metadata, sa.Column("x", sa.Integer, server_default=number))
    own: Any = lambda backend: engine  # noqa: E731
    project = Project(tmp_path, own, backend=backend, metadatas=metadata)
    caller.execute(engine, "CREATE SCHEMA tenant")
    create(caller, project, metadata)
    assert caller(project.alembic, "compare_metadata") == []
