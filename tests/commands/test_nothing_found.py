"""Why a comparison has found nothing is said, as far as it can be seen."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa

from ..backends import EngineFactory
from ..generating import table
from ..harness import Caller
from ..projects import Project

ORDER = """
class Order(Model):
    __tablename__ = "orders"
"""
COMMANDS = pytest.mark.parametrize(
    ("command", "args"), [("revision", ["x"]), ("compare_metadata", [])]
)


def write(root: Path, *files: str, code: str = ORDER) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(code)


@COMMANDS
def test_metadata_without_tables_is_named_with_what_is_not_imported(
    command: str,
    args: list[str],
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is the most frequent reason, and a check that passes then is worth nothing."""
    project = Project(tmp_path, engines)
    write(tmp_path, "shop/orders.py", "migrations/orders.py", "v/lib/orders.py")
    (tmp_path / "v" / "pyvenv.cfg").touch()
    assert not caller(project.alembic, command, *args)
    assert caplog.messages == [
        "The metadata has no tables, so nothing was compared. Nothing has imported"
        " 'shop/orders.py', where tables are defined. Import that where the app is"
        " created."
    ]


def test_metadata_without_tables_is_named_where_no_file_has_any(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    project = Project(tmp_path, engines)
    write(tmp_path, "views.py", code="class Orders(View): pass")
    write(tmp_path, "broken.py", code="class")
    assert caller(project.alembic, "revision", "x") == []
    (message,) = caplog.messages
    assert message.endswith("compared. Import the models before this is called.")


@pytest.mark.parametrize(
    "code",
    [
        'orders = Table("orders", metadata, Column("id"))',
        'orders = sa.Table("orders", metadata)',
        "class Order(Base):\n    __tablename__: str = NAME",
        "class Order(db.Model):\n    id = db.Column()",
        "class Order(SQLModel, table=True):\n    id: int",
    ],
)
def test_models_of_all_kinds_are_found(
    code: str,
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    project = Project(tmp_path, engines)
    write(tmp_path, "orders.py", code=code)
    caller(project.alembic, "needs_revision")
    assert "'orders.py'" in caplog.text


def test_what_is_imported_is_not_named(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = Project(tmp_path, engines)
    write(tmp_path, "orders.py", "users.py")
    module = ModuleType("orders")
    module.__file__ = str(tmp_path / "orders.py")
    monkeypatch.setitem(sys.modules, "orders", module)
    caller(project.alembic, "revision", "x")
    assert "'users.py'" in caplog.text and "orders.py" not in caplog.text


def test_many_files_are_counted(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    project = Project(tmp_path, engines)
    write(tmp_path, *(f"m{i:02}.py" for i in range(12)))
    caller(project.alembic, "revision", "x")
    assert "'m09.py' and 2 more, where" in caplog.text


def test_a_table_that_would_be_dropped_although_it_has_a_model_is_named(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metadata = table("users")
    sa.Table("orders", metadata, sa.Column("id", sa.Integer, primary_key=True))
    project = Project(tmp_path, engines, metadatas=metadata)
    caller(project.alembic, "revision", "all")
    caller(project.alembic, "upgrade")
    write(tmp_path, "orders.py")
    assert not caller(project.alembic, "needs_revision")
    assert caplog.messages == []
    metadata.remove(metadata.tables["orders"])
    (script,) = caller(project.alembic, "revision", "drop")
    assert [change.description for change in script.changes] == ["remove table orders"]
    assert caplog.messages == [
        "Tables would be dropped that have a model: 'orders'. Nothing has imported"
        " 'orders.py', where tables are defined. Import that where the app is created."
    ]


def test_what_a_filter_leaves_out_of_the_models_is_named(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not what it leaves out of the database, such as tables of others."""
    project = Project(tmp_path, engines, metadatas=table("users"))
    caller(project.alembic, "revision", "users")
    caller(project.alembic, "upgrade")
    caller.execute(project.engine, "CREATE TABLE others (id INTEGER)")
    users = project.metadatas.tables["users"]
    users.append_column(sa.Column("age", sa.Integer))
    sa.Index("ix_age", users.c.age)
    sa.Table("orders", project.metadatas, sa.Column("id", sa.Integer))

    @project.alembic.include_object
    def include(item: Any, name: str, type_: str, *args: Any) -> bool:
        return name not in {"age", "ix_age", "orders", "others"}

    assert caller(project.alembic, "revision", "nothing") == []
    assert caplog.messages == [
        "'include_object' leaves these parts of the models out: 'table orders',"
        " 'column users.age', 'index users.ix_age'."
    ]


def test_nothing_is_said_where_models_and_database_are_the_same(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    project = Project(tmp_path, engines, metadatas=table("users"))
    write(tmp_path, "orders.py")
    caller(project.alembic, "revision", "users")
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "revision", "nothing") == []
    assert not caller(project.alembic, "needs_revision")
    assert caplog.messages == []
