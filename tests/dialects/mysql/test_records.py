"""The record of a revision that is half applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import alembic.command
import alembic.config
import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import MigrationError
from async_alembic import PartialRevisionError

from ...backends import Backend
from ...backends import by_id
from ...backends import EngineFactory
from ...backends import on
from ...backends import POSTGRESQL_BACKENDS
from ...conftest import require
from ...harness import awaited_only
from ...harness import Caller
from ...harness import ids
from ...harness import make_app
from ...harness import write_revision
from ...servers import GaleraServer
from ...servers import MariaDBServer
from .shop import on_mariadb
from .shop import on_one_driver
from .shop import Shop


@on_one_driver
@awaited_only
def test_the_record_is_beside_a_version_table_of_another_name(shop: Shop) -> None:
    shop.caller.execute(shop.engine, "CREATE TABLE users (id INT)")
    write_revision(shop.folder, "a1", None, "pass")
    app = make_app(
        "quart",
        shop.folder.parent,
        ALEMBIC_CONTEXT={"version_table": "revisions"},
    )
    alembic = Alembic(
        app, metadatas=sa.MetaData(), engines=shop.engine, command_name=""
    )

    with pytest.raises(MigrationError):
        shop.caller(alembic, "upgrade")

    assert "revisions_partial" in shop.caller.tables(shop.engine)

    with pytest.raises(PartialRevisionError):
        shop.caller(alembic, "upgrade")


@on_one_driver
@awaited_only
def test_of_long_statements_the_beginning_is_kept(shop: Shop) -> None:
    """In any encoding, and however many there are."""
    long = f"COMMENT '{'é😀' * 200}'"
    many = f"INSERT INTO users VALUES {', '.join(['(1234567890)'] * 9000)}"
    body = f"""
        for number in range(2500):
            op.get_bind().exec_driver_sql(f"INSERT INTO users VALUES ({{number}})")
        op.execute({many!r})
        op.execute({f"ALTER TABLE users ADD name VARCHAR(20) {long}"!r})
        raise ValueError
    """
    write_revision(shop.folder, "a2", "a1", body)
    partial = shop.fail()
    assert partial is not None
    *rows, first, second = partial.applied
    assert len(rows) == 2500
    assert rows[-1] == "INSERT INTO users VALUES (2499)"
    assert first == f"{many[:2000]}..."
    assert "😀" in second
    assert shop.refuse().partial == partial


@on(POSTGRESQL_BACKENDS[:1])
@awaited_only
def test_where_ddl_is_rolled_back_there_is_no_record(shop: Shop) -> None:
    assert shop.fail() is None
    assert not shop.has_record
    assert shop.query("SELECT 1") == [(1,)]
    assert "users" not in shop.caller.tables(shop.engine)


@on_mariadb
def test_a_plain_alembic_is_not_disturbed_by_the_record(
    shop: Shop, tmp_path: Path
) -> None:
    """It goes on, as it knows nothing of it."""
    shop.fail()
    scripts = tmp_path / "plain"
    scripts.mkdir()
    (scripts / "env.py").write_text(
        "from alembic import context\n"
        "context.configure(connection=context.config.attributes['connection'])\n"
        "context.run_migrations()\n"
    )
    config = alembic.config.Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(shop.folder))

    def stamp(connection: sa.Connection) -> None:
        config.attributes["connection"] = connection
        alembic.command.stamp(config, "a2")

    shop.caller.begin(shop.engine, stamp)
    assert shop.call("upgrade") == []


@on_one_driver
@awaited_only
def test_a_record_that_cannot_be_kept_is_logged(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """The log is the last place that says what is to be finished by hand."""
    shop.call("upgrade", "a1")
    write_revision(
        shop.folder, "a2", "a1", "op.execute('DROP TABLE alembic_version_partial')"
    )
    partial = shop.fail()
    assert partial is not None
    assert partial.interrupted
    assert "Cannot complete the record: " in caplog.text
    assert str(partial) in caplog.text


@on_one_driver
@awaited_only
def test_a_revision_may_drop_the_version_table(shop: Shop) -> None:
    body = "op.execute('DROP TABLE alembic_version'); 1 / 0"
    write_revision(shop.folder, "a2", "a1", body)
    partial = shop.fail()
    assert partial is not None
    assert partial.applied == ("DROP TABLE alembic_version",)


@on_one_driver
@awaited_only
def test_what_failed_when_the_database_had_it_leaves_no_record(shop: Shop) -> None:
    """There is nothing to finish, and nothing to undo."""

    def fail(*, ctx: Any, **kwargs: Any) -> None:
        ctx.connection.exec_driver_sql("CREATE TABLE audit (x INT)")
        raise ValueError

    write_revision(shop.folder, "a2", "a1", "op.execute('DROP TABLE users')")
    shop.call("upgrade", "a1")
    alembic = shop.again()
    shop.app.config["ALEMBIC_CONTEXT"]["on_version_apply"] = fail

    with pytest.raises(MigrationError) as caught:
        shop.caller(alembic, "upgrade")

    assert caught.value.partial is None
    assert "half applied" not in str(caught.value)
    assert shop.caller.versions(shop.engine) == ["a2"]
    assert not shop.has_record
    assert shop.call("upgrade") == []


@on_one_driver
@awaited_only
@pytest.mark.parametrize(
    ("server_class", "setting"),
    [
        (MariaDBServer, "innodb_force_primary_key = ON"),
        (GaleraServer, "wsrep_mode = REQUIRED_PRIMARY_KEY"),
    ],
    ids=["MariaDB", "Galera"],
)
def test_the_record_is_kept_where_tables_need_a_primary_key(
    server_class: type[MariaDBServer],
    setting: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """As with ``sql_require_primary_key``, which is usual on managed MySQL."""
    require(server_class.missing())

    with server_class() as server:
        server.create_database("test_keys")
        server.execute(f"SET GLOBAL {setting}")
        url = server.url(backend.drivername, "test_keys")
        engine = engines.asynchronous(backend, url)
        shop = Shop(caller, engine, tmp_path, ALEMBIC_LOCK=False)
        write_revision(
            shop.folder, "a1", None, "op.execute('CREATE TABLE users (id INT KEY)')"
        )
        partial = shop.fail()
        assert partial is not None
        assert shop.has_record
        assert shop.refuse().partial == partial
        # The server must not go before the connections.
        caller.run(engine.dispose())


@on_mariadb
def test_a_record_of_an_earlier_version_has_no_key(shop: Shop) -> None:
    shop.call("upgrade", "a1")
    shop.execute(
        "CREATE TABLE alembic_version_partial"
        " (revision VARCHAR(255) NOT NULL, details LONGTEXT NOT NULL)"
    )
    partial = shop.fail()
    assert partial is not None
    assert shop.refuse().partial == partial
    shop.call("stamp", "a2")
    assert not shop.has_record


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
@awaited_only
@pytest.mark.parametrize("missing", ["CREATE", "DROP"])
def test_the_record_needs_privileges(
    missing: str,
    shop: Shop,
    backend: Backend,
    engines: EngineFactory,
    mariadb_server: MariaDBServer,
) -> None:
    """Without DROP, it stays, and is used again."""
    shop.execute("CREATE TABLE t (x INT)")
    write_revision(shop.folder, "a1", None, "pass")
    shop.call("upgrade", "a1")
    user = f"u{uuid4().hex[:8]}"
    granted = {"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP"} - {missing}
    database = shop.engine.url.database
    mariadb_server.execute(f"CREATE USER {user} IDENTIFIED BY 'x'")
    mariadb_server.execute(f"GRANT {', '.join(granted)} ON {database}.* TO {user}")
    write_revision(shop.folder, "a2", "a1", "op.execute('INSERT INTO t VALUES (1)')")
    write_revision(shop.folder, "a3", "a2", "op.execute('INSERT INTO t VALUES (2)')")
    url = shop.engine.url.set(username=user, password="x")
    shop.engine = engines(backend, url)

    if missing == "CREATE":
        with pytest.raises(MigrationError) as caught:
            shop.call("upgrade")

        assert "'alembic_version_partial'" in str(caught.value).replace("`", "'")
        assert "Grant the user this privilege, and run the upgrade" in str(caught.value)
        assert caught.value.partial is None
    else:
        assert ids(shop.call("upgrade", "a2")) == ["a2"]
        assert ids(shop.call("upgrade")) == ["a3"]
        assert ids(shop.call("downgrade", "a1")) == ["a3", "a2"]

    mariadb_server.execute(f"DROP USER {user}")
