"""What is known to lose data, told from the operations."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql

from async_alembic.autogenerate.data_loss import DataLoss
from async_alembic.autogenerate.data_loss import find_losses

DIALECTS: dict[str, sa.Dialect] = {
    name: sa.make_url(f"{name}://").get_dialect()()
    for name in ("postgresql", "mysql", "sqlite")
}
USER = sa.table("user")


class Trimmed(sa.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True


def losses(
    operation: ops.MigrateOperation, dialect: str = "postgresql"
) -> list[DataLoss]:
    return list(find_losses(operation, DIALECTS[dialect]))


def change(old: t.Any, new: t.Any) -> ops.AlterColumnOp:
    return ops.AlterColumnOp("user", "name", existing_type=old, modify_type=new)


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (ops.DropTableOp("user"), "drops the table 'user' with its rows"),
        (ops.DropTableOp("user", schema="s"), "drops the table 's.user' with its rows"),
        (
            ops.DropColumnOp("user", "name"),
            "drops the column 'user.name' with its data",
        ),
        (
            change(sa.String(200), sa.String(50)),
            "makes the type of 'user.name' narrower: VARCHAR(200) -> VARCHAR(50)",
        ),
        (ops.ExecuteSQLOp(sa.delete(USER)), "deletes rows of 'user'"),
    ],
)
def test_an_operation_says_what_it_loses(
    operation: ops.MigrateOperation, reason: str
) -> None:
    assert losses(operation) == [DataLoss(reason)]


def test_operations_inside_others_count() -> None:
    """As they stand in what autogenerate makes, and in a batch."""
    drop = ops.DropColumnOp("user", "name")
    table = ops.ModifyTableOps("user", [drop, ops.DropColumnOp("user", "age")])
    upgrades = ops.UpgradeOps([ops.DropTableOp("visit"), table])
    script = ops.MigrationScript("1", upgrades, ops.DowngradeOps([]))
    expected = [
        DataLoss("drops the table 'visit' with its rows"),
        DataLoss("drops the column 'user.name' with its data"),
        DataLoss("drops the column 'user.age' with its data"),
    ]
    assert losses(script) == losses(upgrades) == expected


@pytest.mark.parametrize(
    "operation",
    [
        ops.AddColumnOp("user", sa.Column("name", sa.Text)),
        ops.AlterColumnOp("user", "name", modify_nullable=False),
        ops.AlterColumnOp("user", "name", modify_name="title"),
        ops.BulkInsertOp(USER, [{"id": 1}]),
        ops.CreateIndexOp("ix", "user", ["name"]),
        ops.CreateTableOp("user", []),
        ops.DropConstraintOp("uq", "user"),
        ops.DropIndexOp("ix", "user"),
        ops.ExecuteSQLOp(sa.insert(USER)),
        ops.RenameTableOp("user", "person"),
    ],
)
def test_what_keeps_all_data_is_not_named(operation: ops.MigrateOperation) -> None:
    assert losses(operation) == []


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (ops.ExecuteSQLOp("DROP TABLE user"), "executes SQL"),
        (ops.ExecuteSQLOp(sa.update(USER)), "executes SQL"),
        (
            change(None, sa.String(5)),
            "changes the type of 'user.name' to VARCHAR(5), from an unknown one",
        ),
        (
            change(sa.JSON(), sa.Uuid()),
            "changes the type of 'user.name': JSON -> UUID",
        ),
    ],
)
def test_what_only_the_database_knows_is_not_certain(
    operation: ops.MigrateOperation, reason: str
) -> None:
    """SQL is not parsed: what looks like a drop can be in a condition, or a function
    can drop what it does not name.
    """
    assert losses(operation) == [DataLoss(reason, is_certain=False)]


NARROWER = [
    ("postgresql", sa.Text(), sa.String(50)),
    ("postgresql", Trimmed(20), Trimmed(10)),
    ("postgresql", sa.String(20), sa.Text().with_variant(sa.String(9), "postgresql")),
    ("postgresql", sa.BigInteger(), sa.Integer()),
    ("postgresql", sa.Integer, sa.SmallInteger),
    ("postgresql", sa.Numeric(10, 2), sa.Numeric(9, 2)),
    ("postgresql", sa.Numeric(10, 2), sa.Numeric(10, 3)),
    ("postgresql", sa.Numeric(10, 2), sa.Numeric(10, 1)),
    ("postgresql", sa.Numeric(), sa.Numeric(10, 2)),
    ("postgresql", sa.Integer(), sa.Numeric(9)),
    ("postgresql", sa.Numeric(10, 2), sa.Integer()),
    ("postgresql", sa.Numeric(10, 2), sa.Double()),
    ("postgresql", sa.Double(), sa.REAL()),
    ("postgresql", sa.Float(53), sa.Float(24)),
    ("postgresql", sa.BigInteger(), sa.Double()),
    ("postgresql", sa.Integer(), sa.Boolean()),
    ("postgresql", sa.Text(), sa.Integer()),
    ("postgresql", sa.String(10), sa.Enum("a", "b", name="e")),
    ("postgresql", sa.DateTime(timezone=True), sa.DateTime()),
    ("postgresql", sa.Time(timezone=True), sa.Time()),
    ("postgresql", postgresql.TIMESTAMP(), postgresql.TIMESTAMP(precision=3)),
    ("postgresql", sa.DateTime(), sa.Date()),
    ("postgresql", sa.Enum("a", "b", name="e"), sa.Enum("a", name="f")),
    ("postgresql", sa.Enum("longer", name="e"), sa.String(5)),
    ("mysql", sa.LargeBinary(), mysql.TINYBLOB()),
    ("mysql", mysql.LONGTEXT(), mysql.MEDIUMTEXT()),
    ("mysql", sa.VARBINARY(20), sa.VARBINARY(10)),
    ("mysql", mysql.INTEGER(), mysql.INTEGER(unsigned=True)),
    ("mysql", mysql.INTEGER(unsigned=True), mysql.INTEGER()),
    ("mysql", mysql.INTEGER(), mysql.MEDIUMINT()),
    ("mysql", sa.SmallInteger(), sa.Boolean()),
    ("mysql", mysql.DATETIME(fsp=6), mysql.DATETIME(fsp=3)),
    ("sqlite", sa.Text(), sa.Integer()),
]
NOT_NARROWER = [
    ("postgresql", sa.String(50), sa.String(200)),
    ("postgresql", sa.String(50), sa.Text()),
    ("postgresql", sa.Integer(), sa.BigInteger()),
    ("postgresql", sa.Integer(), sa.Numeric(10)),
    ("postgresql", sa.Integer(), sa.Text()),
    ("postgresql", sa.Numeric(10, 2), sa.Numeric(12, 4)),
    ("postgresql", sa.Numeric(10, 2), sa.Numeric()),
    ("postgresql", sa.REAL(), sa.Double()),
    ("postgresql", sa.Boolean(), sa.Integer()),
    ("postgresql", sa.Date(), sa.DateTime()),
    ("postgresql", sa.DateTime(), sa.DateTime(timezone=True)),
    ("postgresql", sa.Enum("a", name="e"), sa.Enum("a", "b", name="e")),
    ("postgresql", sa.Enum("a", name="e"), sa.String(5)),
    ("postgresql", sa.Uuid(), postgresql.UUID()),
    ("mysql", mysql.TINYINT(1), sa.Boolean()),
    ("mysql", mysql.TINYTEXT(), mysql.LONGTEXT()),
    ("mysql", mysql.INTEGER(unsigned=True), mysql.BIGINT()),
    # It only remembers their names.
    ("sqlite", sa.String(200), sa.String(50)),
    ("sqlite", sa.Numeric(10, 2), sa.Numeric(5, 1)),
]


@pytest.mark.parametrize(("dialect", "old", "new"), NARROWER)
def test_a_narrower_type_loses_data(dialect: str, old: t.Any, new: t.Any) -> None:
    (loss,) = losses(change(old, new), dialect)
    assert loss.is_certain
    assert "narrower" in loss.reason


@pytest.mark.parametrize(("dialect", "old", "new"), NOT_NARROWER)
def test_a_wider_type_keeps_all_data(dialect: str, old: t.Any, new: t.Any) -> None:
    assert losses(change(old, new), dialect) == []
