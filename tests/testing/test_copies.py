"""A copy is as what was migrated, with all that a database can have."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic.testing.copying.fresh_databases import FreshDatabase
from async_alembic.testing.servers.postgresql import PostgreSQLServer

from ..backends import by_id
from ..backends import MARIADB_BACKENDS
from ..backends import on
from ..backends import SQLITE_BACKENDS
from ..harness import write_revision
from ..kits import Kit
from ..kits import kit as kit
from ..kits import query

on_postgresql = on([by_id("postgresql-asyncpg"), by_id("postgresql-psycopg2")])


def copies_of(kit: Kit, *statements: str) -> list[FreshDatabase]:
    """Databases that were made of what these statements do."""
    bind = "bind = op.get_bind().execution_options(no_parameters=True)"
    lines = [f"bind.exec_driver_sql({text!r})" for text in statements]
    write_revision(kit.migrations, "c3", "b2", "\n".join([bind, *lines]))
    databases = kit.databases()
    return [databases.make() for _ in range(3)]


@on(MARIADB_BACKENDS)
def test_a_copy_on_mariadb_has_everything(kit: Kit) -> None:
    copies = copies_of(
        kit,
        "CREATE TABLE parent (id INT PRIMARY KEY AUTO_INCREMENT, `na``me` VARCHAR(9))"
        " AUTO_INCREMENT = 70 COLLATE utf8mb4_bin COMMENT 'of {braces} and %'",
        "CREATE TABLE child (id INT PRIMARY KEY, parent INT NOT NULL, half INT"
        " GENERATED ALWAYS AS (id / 2) STORED,"
        " FOREIGN KEY (parent) REFERENCES parent (id), CHECK (id > 0))",
        "INSERT INTO parent (`na``me`) VALUES ('a\\\\b'), (NULL)",
        "INSERT INTO child (id, parent) VALUES (8, 70)",
        "CREATE TABLE a_first (id INT, FOREIGN KEY (id) REFERENCES parent (id))",
        "CREATE VIEW b_view AS SELECT id, half FROM child",
        "CREATE VIEW a_view AS SELECT half FROM b_view",
        "CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2",
        "CREATE PROCEDURE note() INSERT INTO note (text) VALUES ('called')",
        "CREATE TRIGGER log AFTER INSERT ON child FOR EACH ROW"
        " INSERT INTO note (text) VALUES ('fired')",
        "CREATE SEQUENCE numbers START WITH 5 NOCACHE",
        "SELECT NEXTVAL(numbers)",
        "CREATE EVENT later ON SCHEDULE EVERY 1 YEAR DO DELETE FROM note",
    )
    for copy in copies:
        assert query(copy, "SELECT * FROM parent ORDER BY id") == [
            (70, "a\\b"),
            (71, None),
        ]
        assert query(copy, "SELECT half FROM a_view") == [(4,)]
        query(copy, "INSERT INTO parent () VALUES ()")
        query(copy, "INSERT INTO child (id, parent) VALUES (2, 72)")
        query(copy, "CALL note()")
        assert query(copy, "SELECT text FROM note ORDER BY id") == [
            ("first",),
            ("fired",),
            ("called",),
        ]
        assert query(copy, "SELECT twice(4)") == [(8,)]
        assert query(copy, "SELECT NEXTVAL(numbers)") == [(6,)]
        shown = query(copy, "SHOW CREATE TABLE parent")[0][1]
        assert "of {braces} and %" in shown and "utf8mb4_bin" in shown
        assert query(copy, "SELECT event_name FROM information_schema.events")

        with pytest.raises(Exception, match="foreign key constraint fails"):
            query(copy, "INSERT INTO child (id, parent) VALUES (3, 1)")

        copy.close()


@on_postgresql
def test_a_copy_on_postgresql_has_what_a_template_does_not_give(kit: Kit) -> None:
    """``CREATE DATABASE ... TEMPLATE`` leaves the settings of the database out."""
    copies = copies_of(
        kit,
        'CREATE SCHEMA "my, own"',
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database()"
        " || ' SET search_path = \"my, own\", public'; EXECUTE 'ALTER DATABASE '"
        " || current_database() || ' SET timezone = ''Asia/Tokyo'''; END $$",
        "CREATE SEQUENCE public.numbers",
        "SELECT nextval('public.numbers')",
    )

    for copy in copies:
        assert query(copy, "SHOW search_path") == [('"my, own", public',)]
        assert query(copy, "SHOW timezone") == [("Asia/Tokyo",)]
        assert query(copy, "SELECT nextval('numbers')") == [(2,)]
        copy.close()


@on_postgresql
def test_the_fastest_way_to_copy_is_found_out(kit: Kit) -> None:
    session = kit.session()
    databases = kit.databases(session)

    for _ in range(6):
        databases.make().close()

    server = session._servers[sa.make_url(kit.url)].server
    assert isinstance(server, PostgreSQLServer)
    times = server._copy_times
    assert times.keys() == {" STRATEGY FILE_COPY", " STRATEGY WAL_LOG"}
    assert all(len(trials) >= 2 for trials in times.values())
    fastest = min(times, key=lambda strategy: min(times[strategy]))
    assert server._next_strategy() == fastest


@on([b for b in SQLITE_BACKENDS if not b.in_memory])
def test_nothing_is_left_in_a_write_ahead_log(kit: Kit, tmp_path: Path) -> None:
    original = kit.engine

    def engine(url: str) -> object:
        made = original(url)

        @sa.event.listens_for(getattr(made, "sync_engine", made), "connect")
        def use_wal(connection: object, record: object) -> None:
            cursor = connection.cursor()  # type: ignore[attr-defined]
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA wal_autocheckpoint=0")
            cursor.close()

        kept.append(made)
        return made

    kept: list[object] = []
    kit.engine = engine  # type: ignore[method-assign]
    databases = kit.databases()

    for _ in range(3):
        copy = databases.make()
        path = Path(sa.make_url(copy.url).database or "")
        assert {p.name for p in path.parent.glob(f"{path.stem}*")} == {path.name}
        assert query(copy, "SELECT text FROM note") == [("first",)]
        query(copy, "DELETE FROM note")
        copy.close()
