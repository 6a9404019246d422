"""What is compared, and how the difference is written."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate.rewriter import Rewriter
from alembic.operations import ops

from async_alembic import Alembic
from async_alembic import AsyncAlembicError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..generating import function_bodies
from ..generating import table
from ..harness import awaited_only
from ..harness import Caller
from ..harness import make_app
from ..projects import AS_ALEMBIC
from ..projects import docstring
from ..projects import MEMORY
from ..projects import names
from ..projects import Project


class TestAutogenerate:
    """The arguments of ``EnvironmentContext.configure``, in ``ALEMBIC_CONTEXT``."""

    def test_directives_can_be_emptied(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def process(context: Any, revision: Any, directives: Any) -> None:
            directives[:] = []

        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            context={"process_revision_directives": process},
        )
        assert caller(project.alembic, "revision", "one") == []
        assert project.files() == {}

    def test_directives_can_be_emptied_with_several_databases(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """They are asked after each database, as under Alembic's own template."""

        def process(context: Any, revision: Any, directives: Any) -> None:
            if directives[0].upgrade_ops_list[-1].upgrade_token == "log_upgrades":
                directives[:] = []

        project = Project(
            tmp_path,
            engines,
            metadatas={"default": table("users"), "log": table("events")},
            context={"process_revision_directives": process},
        )
        assert caller(project.alembic, "revision", "one") == []
        assert project.files() == {}

    def test_directives_that_are_emptied_too_early_are_told(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """What the databases that follow differ by must not be lost in silence."""

        def process(context: Any, revision: Any, directives: Any) -> None:
            if directives[0].upgrade_ops_list[-1].is_empty():
                directives[:] = []

        project = Project(
            tmp_path,
            engines,
            metadatas={"default": sa.MetaData(), "log": table("events")},
            context={"process_revision_directives": process},
        )

        with pytest.raises(AsyncAlembicError, match="process_revision_directives"):
            caller(project.alembic, "revision", "one")

        assert project.files() == {}

    def test_directives_can_be_rewritten(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def process(context: Any, revision: Any, directives: Any) -> None:
            (script,) = directives
            script.rev_id = "abcd1234"
            script.message += ', said "we"'
            script.imports.add("import decimal")
            script.upgrade_ops.ops.append(ops.ExecuteSQLOp("SELECT 7"))

        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            context={"process_revision_directives": process},
        )
        (script,) = caller(project.alembic, "revision", "users")
        assert script.revision == "abcd1234"
        assert docstring(script) == 'users, said "we"'
        assert Path(script.path).name == "abcd1234_users_said_we.py"
        assert script.module.decimal is not None
        assert "SELECT 7" in function_bodies(script)["upgrade"]

    def test_there_may_be_several_directives(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Such as one to expand the schema and one to contract it."""

        def process(context: Any, revision: Any, directives: Any) -> None:
            (expand,) = directives
            contract = ops.MigrationScript(
                "contract",
                ops.UpgradeOps([ops.ExecuteSQLOp("SELECT 1")]),
                ops.DowngradeOps([]),
                message="contract",
                head="expand",
                splice=True,
                version_path=expand.version_path,
            )
            expand.rev_id = "expand"
            directives.append(contract)

        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            context={"process_revision_directives": process},
        )
        made = caller(project.alembic, "revision", "users")
        assert names(made) == ["expand", "contract"]
        assert names(caller(project.alembic, "upgrade")) == ["expand", "contract"]

    def test_a_rewriter_takes_part(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Alembic's own helper for directives, such as to leave out what is unsafe."""
        writer = Rewriter()

        @writer.rewrites(ops.CreateTableOp)
        def add_comment(context: Any, revision: Any, op: ops.CreateTableOp) -> Any:
            return [op, ops.ExecuteSQLOp(f"SELECT '{op.table_name}'")]

        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            context={"process_revision_directives": writer},
        )
        (script,) = caller(project.alembic, "revision", "one")
        body = function_bodies(script)["upgrade"]
        assert body.index("create_table('users'") < body.index("SELECT 'users'")

    def test_directives_can_be_made_where_nothing_differs(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def process(context: Any, revision: Any, directives: Any) -> None:
            directives[0].upgrade_ops.ops.append(ops.ExecuteSQLOp("SELECT 7"))

        project = Project(
            tmp_path, engines, context={"process_revision_directives": process}
        )
        (script,) = caller(project.alembic, "revision", "one")
        assert "SELECT 7" in Path(script.path).read_text()

    def test_an_error_in_a_hook_is_the_users_and_writes_nothing(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def process(context: Any, revision: Any, directives: Any) -> None:
            raise LookupError("the user's own")

        project = Project(
            tmp_path,
            engines,
            metadatas=table(),
            context={"process_revision_directives": process},
        )

        with pytest.raises(LookupError, match="the user's own"):
            caller(project.alembic, "revision", "one")

        assert project.files() == {}

    def test_include_object_leaves_things_out(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def include(object: Any, name: Any, type_: Any, *args: Any) -> bool:
            return not (type_ == "table" and name.startswith("ext_"))

        metadata = table("users")
        sa.Table("ext_roads", metadata, sa.Column("id", sa.Integer))
        project = Project(
            tmp_path, engines, metadatas=metadata, context={"include_object": include}
        )
        caller.execute(project.engine, "CREATE TABLE ext_places (id INTEGER)")
        (script,) = caller(project.alembic, "revision", "one")
        assert "ext_" not in Path(script.path).read_text()
        caller(project.alembic, "upgrade")
        assert not caller(project.alembic, "needs_revision")

    def test_render_item_writes_types_of_the_users_own(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        def render(type_: str, object: Any, context: Any) -> str | bool:
            if type_ == "type" and isinstance(object, Money):
                context.imports.add(f"from {__name__} import Money")
                return "Money()"

            return False

        metadata = table("orders", sa.Column("total", Money()))
        project = Project(
            tmp_path, engines, metadatas=metadata, context={"render_item": render}
        )
        (script,) = caller(project.alembic, "revision", "one")
        text = Path(script.path).read_text()
        assert "sa.Column('total', Money(), nullable=True)" in text
        assert f"from {__name__} import Money" in text
        caller(project.alembic, "upgrade")
        assert caller.columns(project.engine, "orders") == {"id", "total"}

    def test_user_module_prefix_writes_them_too(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            metadatas=table("orders", sa.Column("total", Money())),
            context={"user_module_prefix": "types."},
        )
        (script,) = caller(project.alembic, "revision", "one")
        assert "types.Money()" in Path(script.path).read_text()

    @pytest.mark.parametrize("context", [{}, {"render_as_batch": False}], ids=str)
    def test_sqlite_gets_what_it_can_run_unless_told_otherwise(
        self,
        context: dict[str, Any],
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
    ) -> None:
        name = sa.Column("name", sa.String(20), nullable=False)
        project = Project(
            tmp_path, engines, metadatas=table("users", name), context=context
        )
        caller.execute(
            project.engine,
            "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20))",
            "INSERT INTO users VALUES (1, 'Ann')",
        )
        (script,) = caller(project.alembic, "revision", "not null")
        is_batch = "op.batch_alter_table('users'" in Path(script.path).read_text()
        assert is_batch != bool(context)

        if is_batch:
            caller(project.alembic, "upgrade")
            assert not caller(project.alembic, "needs_revision")
            assert caller.query(project.engine, "SELECT * FROM users") == [(1, "Ann")]

    @pytest.mark.parametrize("with_sqlite", [False, True])
    def test_one_revision_for_several_kinds_is_what_each_can_run(
        self, with_sqlite: bool, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """A batch is plain ``ALTER TABLE`` elsewhere. Without need there is none."""
        backends = [by_id("sqlite-sqlite3")] if with_sqlite else []
        backends.append(by_id("postgresql-psycopg2"))
        made = {f"db{n}": engines(backend) for n, backend in enumerate(backends)}
        made["default"] = engines(backends[-1])
        metadatas: Any = {
            # Only in a batch, constraints without a name get one.
            name: table("users", sa.Column("name", sa.Text, unique=with_sqlite))
            for name in made
        }
        app = make_app("flask", tmp_path)
        alembic = Alembic(app, metadatas=metadatas, engines=made)

        for engine in made.values():
            caller.execute(engine, "CREATE TABLE users (id INTEGER PRIMARY KEY)")

        (script,) = caller(alembic, "revision", "name")
        text = Path(script.path).read_text()
        assert ("op.batch_alter_table" in text) == with_sqlite
        caller(alembic, "upgrade")
        assert not caller(alembic, "needs_revision")
        caller(alembic, "downgrade")

        for engine in made.values():
            assert caller.columns(engine, "users") == {"id"}

    def test_a_constraint_that_a_directive_leaves_without_a_name_stays_so(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Only those get one that Alembic itself would add or drop."""

        def process(context: Any, revision: Any, directives: Any) -> None:
            check = sa.CheckConstraint("id > 0")
            sa.Table("users", sa.MetaData(), sa.Column("id"), check)
            drop = ops.DropConstraintOp.from_constraint(check)
            create = ops.CreateUniqueConstraintOp(None, "users", ["id"])
            directives[0].upgrade_ops.ops += [drop, create]

        project = Project(
            tmp_path, engines, context={"process_revision_directives": process}
        )

        with warnings.catch_warnings():
            # Newer versions of Alembic tell that no database could run it.
            warnings.filterwarnings("ignore", "Autogenerate rendered")
            (script,) = caller(project.alembic, "revision", "one")

        body = function_bodies(script)["upgrade"]
        assert "drop_constraint(None, 'users'" in body
        assert "create_unique_constraint(op.f('uq_users_id'), 'users'" in body

    def test_tables_are_dropped_before_those_that_they_refer_to(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """Their indexes go with them. Those of a circle are in no order."""
        project = Project(tmp_path, engines)
        project.app.config |= AS_ALEMBIC
        key = "REFERENCES"
        caller.execute(
            project.engine,
            "CREATE TABLE b (id INTEGER PRIMARY KEY)",
            f"CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER {key} b (id))",
            f"CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER {key} a (id))",
            "CREATE INDEX i ON c (a)",
        )
        (script,) = caller(project.alembic, "revision", "none")
        body = function_bodies(script)["upgrade"]
        dropped = re.findall(r"op\.(\w+)\('(\w+)'", body)
        assert dropped == [("drop_table", name) for name in "cab"]
        assert "create_index" in function_bodies(script)["downgrade"]
        caller(project.alembic, "upgrade")
        assert caller.tables(project.engine) == set()
        caller(project.alembic, "downgrade")
        assert caller.tables(project.engine) == {*"abc"}

    def test_tables_that_refer_to_each_other_are_dropped_all_the_same(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines)
        project.app.config |= AS_ALEMBIC
        caller.execute(
            project.engine,
            "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id))",
            "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id))",
        )

        with warnings.catch_warnings():
            # SQLAlchemy tells of the circle.
            warnings.filterwarnings("ignore", "Cannot correctly sort tables")
            caller(project.alembic, "revision", "none")

        caller(project.alembic, "upgrade")
        assert caller.tables(project.engine) == set()

    @awaited_only
    @pytest.mark.parametrize(
        ("type_", "model", "found", "differs"),
        [
            (sa.String(9), "it's", "'it''s'", False),
            (sa.String(9), "it's", "'its'", True),
            (sa.String(9), "a\\b", r"'a\\b'", True),
            (sa.String(9), "a", "CURRENT_TIMESTAMP", True),
            (sa.String(9), None, "'a'", True),
            (sa.Integer(), "7", "7", False),
            (sa.Integer(), "7", "8", True),
            (sa.DateTime(), sa.func.current_timestamp(), "CURRENT_TIMESTAMP", False),
        ],
        ids=str,
    )
    def test_a_default_has_changed_if_its_value_has_on_sqlite(
        self,
        type_: sa.types.TypeEngine[Any],
        model: Any,
        found: str,
        differs: bool,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
    ) -> None:
        project = project_with_default(MEMORY, type_, model, tmp_path, engines)
        caller.execute(project.engine, table_with_default(project, type_, found))
        assert caller(project.alembic, "needs_revision") is differs

    @awaited_only
    @on([by_id("mariadb-asyncmy")])
    @pytest.mark.parametrize(
        ("type_", "model", "found", "differs"),
        [
            (sa.String(9), "it's", "'it''s'", False),
            (sa.String(9), "a\\b", r"'a\\b'", False),
            (sa.String(9), "a", "'b'", True),
            (sa.Numeric(5, 2), "1.5", "1.5", False),
            (sa.Numeric(5, 2), "1.5", "1.6", True),
            (sa.DateTime(), sa.func.now(), "CURRENT_TIMESTAMP", False),
            (sa.DateTime(), "2020-01-02", "CURRENT_TIMESTAMP", True),
        ],
        ids=str,
    )
    def test_a_default_has_changed_if_its_value_has_on_mariadb(
        self,
        type_: sa.types.TypeEngine[Any],
        model: Any,
        found: str,
        differs: bool,
        backend: Backend,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
    ) -> None:
        """It shows ``1.5`` as ``1.50``, and ``now()`` as ``current_timestamp()``."""
        project = project_with_default(backend, type_, model, tmp_path, engines)
        caller.execute(project.engine, table_with_default(project, type_, found))
        assert caller(project.alembic, "needs_revision") is differs


def project_with_default(
    backend: Backend,
    type_: sa.types.TypeEngine[Any],
    default: Any,
    root: Path,
    engines: EngineFactory,
) -> Project:
    """An app whose models have a column with a default."""
    return Project(
        root,
        engines,
        backend=backend,
        metadatas=table("users", sa.Column("x", type_, server_default=default)),
        context={"compare_server_default": True},
    )


def table_with_default(
    project: Project, type_: sa.types.TypeEngine[Any], default: str
) -> str:
    """The statement that makes the table with another one."""
    compiled = type_.compile(project.engine.dialect)
    return (
        "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY,"
        f" x {compiled} DEFAULT {default})"
    )


class Money(sa.types.UserDefinedType[Any]):
    """A type of the user's own."""

    cache_ok = True

    def get_col_spec(self, **kwargs: Any) -> str:
        return "NUMERIC"
