"""Tables of the database that are in no model. Alembic drops them all."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import comparators

from async_alembic.errors import RevisionError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..generating import function_bodies
from ..generating import table
from ..harness import awaited_only
from ..harness import Caller
from ..harness import create_table
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from ..projects import AS_ALEMBIC
from ..projects import Project

on_postgresql = on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])
on_sqlite = on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
LEGACY = "CREATE TABLE legacy (id INTEGER PRIMARY KEY)", "INSERT INTO legacy VALUES (1)"


def differences(caller: Caller, project: Project) -> list[tuple[str, str]]:
    found = caller(project.alembic, "compare_metadata")
    return [(kind, item.name) for kind, item, *_ in found]


@on(ONE_OF_EACH_KIND)
def test_they_are_kept_and_named(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    project = Project(tmp_path, engines, backend=backend, metadatas=table())
    caller.execute(project.engine, *LEGACY)
    assert caller(project.alembic, "unknown_tables") == {"default": ["legacy"]}
    assert "in no model" not in caplog.text
    (script,) = caller(project.alembic, "revision", "one")
    bodies = function_bodies(script)
    assert "    op.drop_table" not in bodies["upgrade"]
    assert "legacy" not in bodies["downgrade"]
    assert "    # op.drop_table('legacy')\n" in Path(script.path).read_text()
    assert "'default'" in caplog.text
    assert "'legacy'" in caplog.text
    caller(project.alembic, "upgrade")
    caller(project.alembic, "downgrade")
    caller(project.alembic, "upgrade")
    assert caller.query(project.engine, "SELECT * FROM legacy") == [(1,)]
    assert differences(caller, project) == []


@on(ONE_OF_EACH_KIND)
def test_without_other_differences_there_is_no_revision(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """A function of comments alone is a syntax error, too."""
    project = Project(tmp_path, engines, backend=backend)
    caller.execute(project.engine, *LEGACY)
    assert caller(project.alembic, "revision", "one") == []
    assert caller(project.alembic, "needs_revision") is False


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    "code",
    [
        create_table("old"),
        "op.execute('CREATE TABLE old (id INTEGER PRIMARY KEY)')",
        create_table("older") + "\nop.rename_table('older', 'old')",
    ],
)
def test_what_a_revision_has_created_once_had_a_model(
    code: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    write_revision(project.folder, "a1", None, code)
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "unknown_tables") == {"default": []}
    assert differences(caller, project) == [("remove_table", "old")]
    (script,) = caller(project.alembic, "revision", "two")
    assert "op.drop_table('old')" in function_bodies(script)["upgrade"]
    caller(project.alembic, "upgrade")
    assert caller.tables(project.engine) == set()


@on(ONE_OF_EACH_KIND)
@pytest.mark.parametrize("drop", ["legacy", ["legacy"], {"legacy"}], ids=str)
def test_they_are_dropped_if_they_are_named(
    drop: Any, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    caller.execute(project.engine, *LEGACY, "CREATE TABLE other (id int)")
    (script,) = caller(project.alembic, "revision", "one", drop=drop)
    assert "# op.drop_table('other')" in Path(script.path).read_text()
    caller(project.alembic, "upgrade")
    assert caller.tables(project.engine) == {"other"}
    caller(project.alembic, "downgrade")
    assert caller.tables(project.engine) == {"legacy", "other"}


@on_sqlite
def test_only_they_can_be_named(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    caller.execute(project.engine, *LEGACY)

    with pytest.raises(RevisionError, match="'users'.* Such tables: 'legacy'.$"):
        caller(project.alembic, "revision", "one", drop=["users", "legacy"])

    with pytest.raises(RevisionError, match="'empty' or 'drop'"):
        caller(project.alembic, "revision", "one", empty=True, drop="legacy")

    assert [*project.folder.glob("*.py")] == []


@on(ONE_OF_EACH_KIND)
def test_a_setting_drops_them_all(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    project.app.config |= AS_ALEMBIC
    caller.execute(project.engine, *LEGACY)
    assert caller(project.alembic, "unknown_tables") == {"default": []}
    assert differences(caller, project) == [("remove_table", "legacy")]
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    assert caller.tables(project.engine) == set()


@on_sqlite
@pytest.mark.parametrize("option", ["include_name", "include_object"])
def test_what_the_apps_own_filter_leaves_out_is_not_named(
    option: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def include(*args: Any) -> bool:
        return "legacy" not in args

    context = {option: include}
    project = Project(tmp_path, engines, backend=backend, context=context)
    caller.execute(project.engine, *LEGACY)
    assert caller(project.alembic, "unknown_tables") == {"default": []}
    assert differences(caller, project) == []
    assert "in no model" not in caplog.text


@on_sqlite
def test_each_database_has_its_own(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metadatas = {"default": table(), "other": table(), "third": sa.MetaData()}
    project = Project(tmp_path, engines, backend=backend, metadatas=metadatas)

    for name in "other", "third":
        caller.execute(project.engines[name], f"CREATE TABLE {name}_legacy (id int)")

    assert caller(project.alembic, "unknown_tables") == {
        "default": [],
        "other": ["other_legacy"],
        "third": ["third_legacy"],
    }
    (script,) = caller(project.alembic, "revision", "one")
    text = Path(script.path).read_text()
    first, second = text.index("def upgrade_other"), text.index("def downgrade_other")
    assert first < text.index("# op.drop_table('other_legacy')") < second
    # Nothing else differs there, so its function is empty.
    assert "third_legacy" not in text
    assert "third_legacy" in caplog.text
    caller(project.alembic, "upgrade")


def test_a_warning_lists_ten_of_them(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    project = Project(tmp_path, engines)
    names = [f"t{number:02}" for number in range(12)]
    caller.execute(project.engine, *(f"CREATE TABLE {name} (id int)" for name in names))
    assert differences(caller, project) == []
    record, *_ = caplog.records
    assert record.levelno == logging.WARNING
    assert "'t00', 't01'" in caplog.text
    assert "'t09' and 2 more" in caplog.text


@on(ONE_OF_EACH_KIND)
def test_what_a_batch_change_has_left_behind_is_named(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It can hold the only copy of some rows."""
    project = Project(tmp_path, engines, backend=backend)
    project.app.config |= AS_ALEMBIC
    caller.execute(project.engine, "CREATE TABLE _alembic_tmp_users (x int)")
    assert differences(caller, project) == []
    assert "'_alembic_tmp_users'" in caplog.text


class TestOnPostgreSQL:
    @on_postgresql
    @pytest.mark.parametrize("options", [{}, {"include_schemas": True}], ids=str)
    def test_partitions_and_tables_that_inherit_are_part_of_another(
        self,
        options: dict[str, Any],
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        metadata = sa.MetaData()
        day = sa.Column("day", sa.Date, primary_key=True)
        sa.Table("event", metadata, day, postgresql_partition_by="RANGE (day)")
        sa.Table("log", metadata, sa.Column("id", sa.Integer, primary_key=True))
        project = Project(
            tmp_path, engines, backend=backend, metadatas=metadata, context=options
        )
        project.app.config |= AS_ALEMBIC
        caller(project.alembic, "revision", "one")
        caller(project.alembic, "upgrade")
        caller.execute(
            project.engine,
            "CREATE TABLE event_2031 PARTITION OF event"
            " FOR VALUES FROM ('2031-01-01') TO ('2032-01-01')"
            " PARTITION BY RANGE (day)",
            "CREATE TABLE event_2031_1 PARTITION OF event_2031"
            " FOR VALUES FROM ('2031-01-01') TO ('2031-02-01')",
            "CREATE TABLE log_2031 (CHECK (id > 10)) INHERITS (log)",
            "CREATE SCHEMA archive",
            "CREATE TABLE archive.log_2030 () INHERITS (log)",
        )
        assert differences(caller, project) == []
        assert "in no model" not in caplog.text

    @on_postgresql
    def test_a_partition_with_a_model_is_compared(
        self, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
    ) -> None:
        metadata = sa.MetaData()
        day = sa.Column("day", sa.Date, primary_key=True)
        sa.Table("event", metadata, day, postgresql_partition_by="RANGE (day)")
        sa.Table(
            "event_1", metadata, sa.Column("day", sa.Date), sa.Column("x", sa.Text)
        )
        project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
        caller.execute(
            project.engine,
            "CREATE TABLE event (day date PRIMARY KEY) PARTITION BY RANGE (day)",
            "CREATE TABLE event_1 PARTITION OF event DEFAULT",
        )
        found = caller(project.alembic, "compare_metadata")
        assert ("add_column", "event_1", "x") in [
            (diff[0], diff[2], diff[3].name) for diff in found if len(diff) == 4
        ]

    @on_postgresql
    def test_tables_of_an_extension_are_part_of_it(
        self,
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """As PostGIS's ``spatial_ref_sys``."""
        project = Project(tmp_path, engines, backend=backend)
        project.app.config |= AS_ALEMBIC
        url = project.engine.url
        caller.execute(project.engine, "CREATE TABLE spatial_ref_sys (srid int)")

        with psycopg.connect(
            host=url.host, port=url.port, dbname=url.database, user="postgres"
        ) as superuser:
            superuser.execute("CREATE EXTENSION IF NOT EXISTS plpgsql")
            superuser.execute("ALTER EXTENSION plpgsql ADD TABLE spatial_ref_sys")
            superuser.commit()

            try:
                assert differences(caller, project) == []
                assert "in no model" not in caplog.text
            finally:
                # Other tests use the database, too.
                superuser.execute("ALTER EXTENSION plpgsql DROP TABLE spatial_ref_sys")

    @on_postgresql
    def test_their_schema_is_named_too(
        self,
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
    ) -> None:
        project = Project(
            tmp_path, engines, backend=backend, context={"include_schemas": True}
        )
        caller.execute(
            project.engine,
            "CREATE SCHEMA other",
            "CREATE TABLE legacy (id int)",
            "CREATE TABLE other.legacy (id int)",
            "CREATE TABLE other.known (id int)",
        )
        write_revision(
            project.folder,
            "a1",
            None,
            "op.create_table('known', sa.Column('id', sa.Integer), schema='other')",
        )
        caller(project.alembic, "stamp")
        found = caller(project.alembic, "unknown_tables")
        assert found == {"default": ["legacy", "other.legacy"]}
        (script,) = caller(project.alembic, "revision", "two", drop="other.legacy")
        text = Path(script.path).read_text()
        assert "    # op.drop_table('legacy')\n" in text
        assert "    op.drop_table('legacy', schema='other')\n" in text
        assert "    op.drop_table('known', schema='other')\n" in text

    @pytest.mark.skipif(
        not hasattr(comparators, "populate_with"),
        reason="Plugins are new in Alembic 1.18.",
    )
    @on_postgresql
    @awaited_only
    def test_translated_schemas_have_their_own_names(
        self, backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
    ) -> None:
        engine = engines(backend)
        caller.execute(
            engine,
            "CREATE SCHEMA app",
            "CREATE TABLE app.legacy (id int)",
            "CREATE TABLE app.log (id int)",
            "CREATE TABLE app.log_1 () INHERITS (app.log)",
        )
        project = Project(tmp_path, engines, backend=backend)
        options = {"schema_translate_map": {None: "app"}}
        project.engines["default"] = engine.execution_options(**options)
        project.alembic = type(project.alembic)(
            project.app, metadatas=table("log"), engines=project.engines
        )
        found = caller(project.alembic, "unknown_tables")
        assert found == {"default": ["legacy"]}


class TestOnSQLite:
    @on_sqlite
    def test_virtual_tables_and_what_they_keep_have_no_model(
        self,
        backend: Backend,
        caller: Caller,
        engines: EngineFactory,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        project = Project(tmp_path, engines, backend=backend)
        project.app.config |= AS_ALEMBIC
        caller.execute(
            project.engine,
            "CREATE VIRTUAL TABLE words USING fts5(text)",
            "CREATE VIRTUAL TABLE places USING rtree(id, x1, x2, y1, y2)",
        )
        assert len(caller.tables(project.engine)) > 5
        assert differences(caller, project) == []
        assert "in no model" not in caplog.text
