"""The settings that say how revision files are written."""

from __future__ import annotations

import re
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.operations import MigrateOperation
from alembic.operations import Operations
from alembic.operations import ops

from async_alembic import AsyncAlembicError

from ..backends import EngineFactory
from ..generating import table
from ..harness import Caller
from ..projects import docstring
from ..projects import names
from ..projects import Project

#: What finds columns at all.
TABLES = ["alembic.autogenerate.schemas", "alembic.autogenerate.tables"]


class TestOptions:
    @pytest.mark.parametrize("per_cent", ["%", "%%"], ids=["plain", "doubled"])
    def test_file_template_is_written_as_in_an_ini_file_or_not(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, per_cent: str
    ) -> None:
        template = "%(year)d_%(month).2d-%(rev)s_%(slug)s".replace("%", per_cent)
        project = Project(tmp_path, engines, file_template=template)
        (script,) = caller(project.alembic, "revision", "Add users", empty=True)
        assert re.fullmatch(
            rf"20\d\d_[01]\d-{script.revision}_add_users.py", Path(script.path).name
        )

    def test_file_template_may_make_folders(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(
            tmp_path,
            engines,
            file_template="%(year)d/%(rev)s_%(slug)s",
            recursive_version_locations=True,
        )
        first, second = (
            caller(project.alembic, "revision", message, empty=True)[0]
            for message in ("one", "two")
        )
        folder = Path(first.path).parent
        assert folder.name.isdecimal()
        assert folder.parent == project.folder
        assert Path(second.path).parent == folder
        assert names(caller(project.alembic, "log")) == names([second, first])

    def test_a_file_is_not_written_where_it_would_not_be_found(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines, file_template="sub/%(rev)s")

        with pytest.raises(AsyncAlembicError, match="recursive_version_locations"):
            caller(project.alembic, "revision", "one", empty=True)

        assert project.files() == {}

    @pytest.mark.parametrize(
        ("timezone", "offset"),
        [("UTC", 0), ("utc", 0), ("Asia/Kolkata", 5.5), ("asia/tokyo", None)],
    )
    def test_timezone_is_that_of_the_date(
        self,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
        timezone: str,
        offset: float | None,
    ) -> None:
        project = Project(tmp_path, engines, timezone=timezone)

        if offset is None:
            with pytest.raises(AsyncAlembicError, match=timezone):
                caller(project.alembic, "revision", "one", empty=True)

            assert project.files() == {}
            return

        (script,) = caller(project.alembic, "revision", "one", empty=True)
        (date,) = re.findall("Create Date: (.*)", script.longdoc)
        assert datetime.fromisoformat(date).utcoffset() == timedelta(hours=offset)

    @pytest.mark.parametrize("length", [10, "10"])
    def test_truncate_slug_length_cuts_at_a_word(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, length: int | str
    ) -> None:
        project = Project(tmp_path, engines, truncate_slug_length=length)
        (script,) = caller(
            project.alembic, "revision", "users and addresses", empty=True
        )
        assert Path(script.path).stem == f"{script.revision}_users_and_"

    @pytest.mark.parametrize(
        ("encoding", "cookie"),
        [("latin-1", "${'# coding: latin-1'}\n"), ("utf-8-sig", "")],
    )
    def test_output_encoding_is_that_of_the_file(
        self,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
        encoding: str,
        cookie: str,
    ) -> None:
        project = Project(tmp_path, engines, output_encoding=encoding)
        template = project.folder / "script.py.mako"
        template.write_text(cookie + template.read_text())
        (script,) = caller(project.alembic, "revision", "Größe", empty=True)
        assert "Größe" in Path(script.path).read_text(encoding)
        assert docstring(script) == script.doc == "Größe"
        project = Project(tmp_path, engines, output_encoding=encoding)
        assert caller(project.alembic, "heads")[0].doc == "Größe"

    def test_a_message_beyond_the_encoding_writes_nothing(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        project = Project(tmp_path, engines, output_encoding="ascii")

        with pytest.raises(AsyncAlembicError):
            caller(project.alembic, "revision", "Größe", empty=True)

        assert project.files() == {}
        assert len(caller(project.alembic, "revision", "size", empty=True)) == 1

    def test_the_users_own_template_is_used_and_kept(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        (tmp_path / "migrations").mkdir()
        template = tmp_path / "migrations" / "script.py.mako"
        template.write_text(
            '"""${message}\n\nRevision ID: ${up_revision}\n"""\n'
            "from alembic import op\nimport sqlalchemy as sa\n"
            "revision = ${repr(up_revision)}\n"
            "down_revision = ${repr(down_revision)}\n"
            "labels = ${repr(config.get_main_option('owner'))}\n"
            "def upgrade():\n    ${upgrades if upgrades else 'pass'}\n"
        )
        before = template.read_text()
        project = Project(tmp_path, engines, metadatas=table(), owner="us")
        (script,) = caller(project.alembic, "revision", "one", branch="")
        assert script.module.labels == "us"
        assert not hasattr(script.module, "downgrade")
        caller(project.alembic, "mkdir")
        assert template.read_text() == before
        caller(project.alembic, "upgrade")
        assert caller.tables(project.engine) == {"users"}

    def test_a_template_without_labels_leaves_no_file_that_lacks_one(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        (tmp_path / "migrations").mkdir()
        (tmp_path / "migrations" / "script.py.mako").write_text(
            "revision = ${repr(up_revision)}\ndown_revision = ${repr(down_revision)}\n"
        )
        project = Project(tmp_path, engines)

        with pytest.raises(AsyncAlembicError, match="branch_labels"):
            caller(project.alembic, "revision", "one", empty=True, branch="users")

        assert project.files() == {}

    def test_revision_environment_opens_the_database_for_an_empty_one(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """It is then that directives are processed, and a template may ask it."""
        seen: list[Any] = []

        def process(context: Any, revision: Any, directives: Any) -> None:
            seen.append(context.connection is not None)
            directives[0].upgrade_ops.ops.append(ops.ExecuteSQLOp("SELECT 7"))

        for environment in False, True:
            root = tmp_path / str(environment)
            project = Project(
                root,
                engines,
                revision_environment=environment,
                context={"process_revision_directives": process},
            )
            (script,) = caller(project.alembic, "revision", "one", empty=True)
            assert seen == [True] * environment
            assert ("SELECT 7" in Path(script.path).read_text()) is environment
            assert names(caller(project.alembic, "upgrade")) == [script.revision]

    def test_plugins_take_part_in_the_comparison(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        plugins = pytest.importorskip("alembic.runtime.plugins")
        from alembic.util import PriorityDispatchResult

        def compare(autogen_context: Any, upgrade_ops: Any) -> Any:
            upgrade_ops.ops.append(CreateViewOp("plugged", "SELECT 1 AS one"))
            return PriorityDispatchResult.CONTINUE

        register_view_operations()
        plugin = plugins.Plugin("shop.plugin")
        plugin.add_autogenerate_comparator(compare, "autogenerate")
        builtin = "alembic.autogenerate.*"

        try:
            for number, listed in enumerate(
                (["shop.*"], [builtin], ["shop.plugin", builtin], [builtin, "shop.*"])
            ):
                project = Project(
                    tmp_path / str(number),
                    engines,
                    metadatas=table(),
                    context={"autogenerate_plugins": listed},
                )
                (script,) = caller(project.alembic, "revision", "one")
                text = Path(script.path).read_text()
                assert ("op.create_view('plugged'" in text) is (listed != [builtin])
                assert ("create_table" in text) is (builtin in listed)
        finally:
            plugin.remove()

    @pytest.mark.parametrize(
        ("context", "compared"),
        [
            ({}, True),
            ({"autogenerate_plugins": ["alembic.autogenerate.defaults"]}, True),
            ({"autogenerate_plugins": ["alembic.autogenerate.types"]}, False),
            (
                {
                    "autogenerate_plugins": [
                        "alembic.autogenerate.*",
                        "~alembic.autogenerate.defaults",
                    ]
                },
                False,
            ),
            ({"compare_server_default": False}, False),
            ({"compare_server_default": lambda *args: False}, False),
            ({"compare_server_default": lambda *args: None}, True),
        ],
        ids=["default", "listed", "not_listed", "excluded", "off", "equal", "unknown"],
    )
    def test_server_defaults_are_compared_unless_the_app_says_otherwise(
        self,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
        context: dict[str, Any],
        compared: bool,
    ) -> None:
        """Our comparison is one more plugin, and heeds what is said of Alembic's."""
        pytest.importorskip("alembic.runtime.plugins")
        listed = context.get("autogenerate_plugins", [])

        if listed:
            context = {"autogenerate_plugins": [*TABLES, *listed]}

        column = sa.Column("name", sa.Text, server_default="it's")
        project = Project(
            tmp_path, engines, metadatas=table("users", column), context=context
        )
        caller.execute(
            project.engine,
            "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY,"
            " name TEXT DEFAULT 'its')",
        )
        differences = caller(project.alembic, "compare_metadata")
        kinds = [kind for ((kind, *_),) in differences]
        assert kinds == ["modify_default"] * compared

    def test_an_unknown_plugin_is_an_error(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        pytest.importorskip("alembic.runtime.plugins")
        project = Project(
            tmp_path, engines, context={"autogenerate_plugins": ["nowhere.at.all"]}
        )

        with pytest.raises(AsyncAlembicError, match="nowhere.at.all"):
            caller(project.alembic, "needs_revision")

    def test_custom_operations_are_written_and_run(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        """As packages for views, triggers and enums do it."""
        register_view_operations()

        def process(context: Any, revision: Any, directives: Any) -> None:
            directives[0].upgrade_ops.ops.append(CreateViewOp("v", "SELECT 1 AS one"))
            directives[0].downgrade_ops.ops.insert(0, DropViewOp("v"))

        project = Project(
            tmp_path, engines, context={"process_revision_directives": process}
        )
        (script,) = caller(project.alembic, "revision", "a view")
        assert "op.create_view('v', 'SELECT 1 AS one')" in Path(script.path).read_text()
        caller(project.alembic, "upgrade")
        assert caller.query(project.engine, "SELECT one FROM v") == [(1,)]
        caller(project.alembic, "downgrade")
        views = "SELECT name FROM sqlite_master WHERE type = 'view'"
        assert caller.query(project.engine, views) == []

        with caller.inside(project.app):
            caller.op(project.alembic, "create_view", "w", "SELECT 2 AS two")

        assert caller.query(project.engine, "SELECT two FROM w") == [(2,)]


class CreateViewOp(MigrateOperation):
    def __init__(self, name: str, query: str) -> None:
        self.name = name
        self.query = query

    @classmethod
    def create_view(cls, operations: Operations, name: str, query: str) -> Any:
        return operations.invoke(cls(name, query))

    def reverse(self) -> MigrateOperation:
        return DropViewOp(self.name)


class DropViewOp(MigrateOperation):
    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def drop_view(cls, operations: Operations, name: str) -> Any:
        return operations.invoke(cls(name))


def register_view_operations() -> None:
    # For the whole process, and so only once.
    if hasattr(Operations, "create_view"):
        return

    Operations.register_operation("create_view")(CreateViewOp)
    Operations.register_operation("drop_view")(DropViewOp)

    @Operations.implementation_for(CreateViewOp)
    def create(operations: Operations, op: CreateViewOp) -> None:
        operations.execute(f"CREATE VIEW {op.name} AS {op.query}")

    @Operations.implementation_for(DropViewOp)
    def drop(operations: Operations, op: DropViewOp) -> None:
        operations.execute(f"DROP VIEW {op.name}")

    @renderers.dispatch_for(CreateViewOp)
    def render_create(context: Any, op: CreateViewOp) -> str:
        return f"op.create_view({op.name!r}, {op.query!r})"

    @renderers.dispatch_for(DropViewOp)
    def render_drop(context: Any, op: DropViewOp) -> str:
        return f"op.drop_view({op.name!r})"
