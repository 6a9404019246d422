"""What listeners of an app do in a batch change. Those of GeoAlchemy2 let SpatiaLite
create and drop the triggers of its columns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ...harness import awaited_only
from ...twins import on_sqlite
from ...twins import Twin
from .edits import change
from .edits import drop
from .edits import shop


@contextlib.contextmanager
def listening(name: str, listener: Callable[..., None]) -> Iterator[None]:
    sa.event.listen(sa.Table, name, listener)

    try:
        yield
    finally:
        sa.event.remove(sa.Table, name, listener)


@on_sqlite
@awaited_only
def test_a_listener_drops_what_names_a_column_that_is_dropped(enforcing: Twin) -> None:
    """It is asked before the change is checked, and told the names and types of columns
    as they are reflected.
    """
    found: list[Any] = []

    def read_type(inspector: object, table: sa.Table, column: Any) -> None:
        column["type"] = sa.LargeBinary() if column["name"] == "b" else column["type"]

    def drop_trigger(table: sa.Table, connection: sa.Connection, **kw: object) -> None:
        found.extend((table.name, column.name, column.type) for column in table.columns)
        connection.exec_driver_sql("DROP TRIGGER t")

    trigger = "CREATE TRIGGER t AFTER UPDATE OF b ON shop BEGIN SELECT new.b; END"

    with listening("before_drop", drop_trigger), listening("column_reflect", read_type):
        statements = change(enforcing, (shop("a", "b BLOB_OF"), trigger), drop("b"))

    assert statements == {"shop": shop("a")}
    [(table, column, type_)] = found
    assert (table, column) == ("shop", "b")
    assert isinstance(type_, sa.LargeBinary)


@on_sqlite
@awaited_only
def test_a_trigger_that_a_listener_has_brought_along_is_left(enforcing: Twin) -> None:
    body = "AFTER INSERT ON {} BEGIN SELECT 1; END"

    def create_trigger(
        table: sa.Table, connection: sa.Connection, **kw: object
    ) -> None:
        sql = f"CREATE TRIGGER t {body.format('_alembic_tmp_shop')}"
        connection.exec_driver_sql(sql)

    triggers = [f"CREATE TRIGGER {name} {body.format('shop')}" for name in "tu"]
    code = (
        "table = sa.Table('shop', sa.MetaData(), sa.Column('a', sa.Text))\n"
        "with op.batch_alter_table('shop', copy_from=table, recreate='always'):\n"
        "    pass"
    )

    with listening("after_drop", create_trigger):
        found = change(enforcing, (shop("a"), *triggers), code)

    assert found["t"].replace('"', "") == triggers[0]
    assert found["u"] == triggers[1]
