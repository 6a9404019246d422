"""Tables of SQLite that batches change, and everything that they are."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from async_alembic import SyncAlembic

from ...harness import make_app
from ...twins import enforce_foreign_keys


@dataclass(frozen=True)
class Feature:
    """Something that a table can have.

    :param ddl: Makes the tables: ``shop`` is changed, and ``item`` refers to it.
    :param probes: Statements whose outcome tells whether it is there.
    """

    ddl: tuple[str, ...]
    probes: tuple[str, ...] = ()


SHOP = "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT)"
ROWS = (
    "INSERT INTO shop (id, name) VALUES (3, 'c'), (1, 'a'), (7, 'B')",
    "INSERT INTO item VALUES (1, 1), (2, 3), (3, 3), (4, NULL)",
)


def feature(
    shop: str = SHOP, *ddl: str, probes: tuple[str, ...] = (), action: str = "CASCADE"
) -> Feature:
    item = (
        "CREATE TABLE item (id INTEGER PRIMARY KEY, shop_id INTEGER"
        f" REFERENCES shop (id) ON DELETE {action})"
    )
    return Feature((shop, item, *ROWS, *ddl), probes)


def with_column(column: str, *more: str) -> str:
    return f"CREATE TABLE shop ({', '.join(['id INTEGER PRIMARY KEY', column, *more])})"


OTHERS = {"extra", "other"}


def read(file: str | Path | None, probes: tuple[str, ...] = ()) -> dict[str, Any]:
    """What SQLite itself says of everything but the columns ``extra`` and ``other``."""
    assert file is not None

    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        query = connection.execute
        found: dict[str, Any] = {
            table: {
                "strict and without rowid": (wr, strict),
                "columns": columns_of(connection, table),
                "keys": keys_of(connection, table),
                "indexes": sorted(indexes_of(connection, table)),
                "rows": rows_of(connection, table, bool(wr)),
            }
            for _, table, kind, _, wr, strict in query("PRAGMA table_list").fetchall()
            if kind == "table" and not table.startswith(("sqlite_s", "alembic_"))
        }
        found["sql"] = query(
            "SELECT type, name, sql FROM sqlite_master WHERE type <> 'table'"
            " AND name <> 'extra' AND sql IS NOT NULL ORDER BY name"
        ).fetchall()
        found["checks"] = query(
            "SELECT name, upper(sql) FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        found["checks"] = sorted(
            (name, sql.count("CHECK") - sql.count("CHECK (EXTRA"))
            for name, sql in found["checks"]
        )
        found["outcomes"] = [outcome(connection, probe) for probe in probes]

        if ("sqlite_sequence", 0) in found["checks"]:
            found["sequence"] = sorted(query("SELECT * FROM sqlite_sequence"))

    return found


def columns_of(connection: sqlite3.Connection, table: str) -> list[Any]:
    rows = connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
    return [
        # A primary key is NOT NULL in some forms of the same, and a default can have
        # more parentheses.
        (
            name,
            kind.replace(" ", ""),
            not_null or key,
            re.sub(r"[\s()]", "", str(default)),
            key,
            hidden,
        )
        for _, name, kind, not_null, default, key, hidden in rows
        if name not in OTHERS
    ]


def keys_of(connection: sqlite3.Connection, table: str) -> list[Any]:
    rows = connection.execute(f"PRAGMA foreign_key_list({table})").fetchall()
    # Without a column, the primary key is meant.
    return sorted(
        (row[2:4], row[4] or "id", row[5:]) for row in rows if row[3] not in OTHERS
    )


def indexes_of(connection: sqlite3.Connection, table: str) -> list[Any]:
    indexes = []

    for _, name, *kind in connection.execute(f"PRAGMA index_list({table})").fetchall():
        rows = connection.execute(f"PRAGMA index_xinfo('{name}')").fetchall()
        columns = [row[2:] for row in rows if row[5]]

        if not any(column[0] in OTHERS for column in columns):
            own_name = name if "c" in kind else ""
            indexes.append((own_name, kind, str(columns)))

    return indexes


def rows_of(connection: sqlite3.Connection, table: str, without_ids: bool) -> Any:
    columns = [f'"{column[0]}"' for column in columns_of(connection, table)]
    ids = [] if without_ids else ["oid"]
    query = f"SELECT {', '.join([*ids, *columns])} FROM {table}"
    return sorted(connection.execute(query).fetchall(), key=str)


def outcome(connection: sqlite3.Connection, statement: str) -> Any:
    """What a statement does to a copy."""
    with contextlib.closing(sqlite3.connect(":memory:")) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA foreign_keys=ON")

        try:
            copy.execute("BEGIN")
            copy.execute(statement)
            copy.execute("COMMIT")
        except sqlite3.Error as e:
            return type(e).__name__, copy.in_transaction

        return [rows_of(copy, table, True) for table in ("shop", "item")]


def run(*statements: str) -> str:
    """The code of a revision that executes statements as they are."""
    return "\n".join(f"op.get_bind().exec_driver_sql({s!r})" for s in statements)


def batch(*operations: str, **options: Any) -> str:
    """The code of a revision that changes ``shop`` in a batch."""
    arguments = "".join(f", {name}={value!r}" for name, value in options.items())
    body = "\n".join(f"    batch.{operation}" for operation in operations)
    return f"with op.batch_alter_table('shop'{arguments}) as batch:\n{body}"


ADD = batch("add_column(sa.Column('extra', sa.Integer))", recreate="always")
DROP = batch("drop_column('extra')", recreate="always")


class Shop:
    """A table that is changed without a revision.

    :param ddl: Makes what there is.
    """

    def __init__(self, root: Path, *ddl: str) -> None:
        self.file = root / "shop.db"
        self.app = make_app("flask", root)
        self.engine = sa.create_engine(f"sqlite:///{self.file}")
        sa.event.listen(self.engine, "connect", enforce_foreign_keys)
        self.alembic = SyncAlembic(
            self.app, metadatas=sa.MetaData(), engines=lambda: self.engine
        )

        self.execute(*ddl)

    def execute(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def change(self, code: str) -> None:
        self.alembic.run(lambda env: exec(code, {"op": env.op, "sa": sa}))

    def sql(self, name: str) -> str:
        with self.engine.connect() as connection:
            query = "SELECT sql FROM sqlite_master WHERE name = ?"
            found = connection.exec_driver_sql(query, (name,)).scalar()

        return " ".join((found or "").split())

    def query(self, statement: str) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]
