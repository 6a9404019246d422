"""The ready-made tests find what they are for, and say so."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic.dialects.schemas.reading import differences
from async_alembic.testing import assert_models_match
from async_alembic.testing import FreshDatabase
from async_alembic.testing import History
from async_alembic.testing import RevisionData
from async_alembic.testing.checks import CheckFailedError
from async_alembic.testing.checks import CheckSkippedError
from async_alembic.testing.checks.migrating import read_schema

from ..backends import by_id
from ..backends import on
from ..harness import create_table
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from ..kits import Kit
from ..kits import kit as kit
from ..kits import NOTE
from ..kits import query

on_each_server = on(
    [by_id("sqlite-sqlite3"), by_id("postgresql-asyncpg"), by_id("mariadb-pymysql")]
)
on_postgresql = on([by_id("postgresql-asyncpg"), by_id("postgresql-psycopg2")])
on_aiosqlite = on([by_id("sqlite-aiosqlite")])


@pytest.fixture
def history(kit: Kit) -> Iterator[History]:
    databases = kit.databases()
    made: list[FreshDatabase] = []

    def make(target: Any) -> FreshDatabase:
        made.append(databases.make(target, in_memory=False))
        return made[-1]

    yield History(make)

    for database in made:
        database.close()


def failure(check: Callable[..., None], *args: Any) -> tuple[str, list[str]]:
    """The sentence that a check fails with, and the evidence."""
    with pytest.raises(CheckFailedError) as caught:
        check(*args)

    sentence, *lines = str(caught.value).splitlines()
    return sentence, [line.strip() for line in lines]


@on([*ONE_OF_EACH_KIND, by_id("sqlite-memory-sqlite3")])
def test_nothing_is_wrong_with_a_sound_history(
    kit: Kit, history: History, tmp_path: Path
) -> None:
    commit(kit.root, "v1")
    history.has_one_head()
    history.can_be_read()
    history.goes_up_from_base()
    history.goes_up_down_and_up()
    history.leaves_no_trace()
    history.matches_models()
    history.is_the_same_offline()
    history.is_as_released("v1")
    history.goes_up_from_release("v1")
    history.goes_up_from_release("a1")
    history.keeps_data(
        {
            "b2": RevisionData(
                before={"note": [{"id": 7, "text": "kept"}]},
                after={"note": [{"id": 7, "done": None}, {"text": "first"}]},
            )
        }
    )


def commit(folder: Path, tag: str) -> None:
    run = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]

    for args in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "-m", tag],
        ["tag", tag],
    ):
        subprocess.run([*run, *args], cwd=folder, check=True)


@on_aiosqlite
def test_two_heads_are_found(kit: Kit, history: History) -> None:
    write_revision(kit.migrations, "c3", "a1")
    sentence, lines = failure(history.has_one_head)
    assert sentence.startswith("There are 2 heads. Merge them with 'db merge'")
    assert {line.split()[0] for line in lines} == {"b2", "c3"}


@on_aiosqlite
def test_a_broken_file_is_found(kit: Kit, history: History) -> None:
    history.can_be_read()
    (kit.migrations / "b2.py").write_text("revision = 'b2'\ndown_revision = 'a1'\n")
    sentence, lines = failure(history.can_be_read)
    assert sentence.startswith("Revisions lack 'upgrade()' or 'downgrade()'.")
    path = kit.migrations / "b2.py"
    assert lines == [f"{path}: no 'upgrade()'", f"{path}: no 'downgrade()'"]

    path.write_text("revision = 'b2'\ndown_revision = 'a1'\n1 +\n")
    sentence, lines = failure(history.can_be_read)
    assert sentence.startswith(f"Revision file {path}, line 3: SyntaxError")


@on_each_server
def test_a_downgrade_that_forgets_something_is_found(
    kit: Kit, history: History
) -> None:
    write_revision(
        kit.migrations,
        "c3",
        "b2",
        "op.create_index('ix_text', 'note', ['text'])\n" + create_table("other"),
        "op.drop_index('ix_text', 'note')",
    )
    sentence, lines = failure(history.goes_up_down_and_up)
    path = kit.migrations / "c3.py"
    assert sentence == (
        f"Revision c3 ({path}) does not restore the schema on downgrade. Correct its"
        " 'downgrade()'."
    )
    assert "+ table other" in lines
    assert not any("ix_text" in line for line in lines)

    sentence, lines = failure(history.leaves_no_trace)
    assert sentence.startswith(
        "The downgrade to base does not restore an empty database."
    )
    assert "+ table other" in lines


@on_each_server
def test_a_revision_that_fails_is_found(kit: Kit, history: History) -> None:
    write_revision(kit.migrations, "c3", "b2", "pass", "op.drop_table('none')")
    sentence, lines = failure(history.goes_up_down_and_up)
    assert "Revision c3 (" in sentence and "fails to downgrade." in sentence
    assert any("none" in line for line in lines)

    write_revision(kit.migrations, "c3", "b2", "op.drop_table('none')")
    sentence, lines = failure(history.goes_up_from_base)
    assert "c3" in sentence and "none" in sentence
    assert "fails to upgrade." in failure(history.goes_up_down_and_up)[0]


@on([by_id("postgresql-psycopg2"), by_id("mariadb-pymysql"), by_id("sqlite-sqlite3")])
def test_looking_at_a_schema_changes_nothing_for_revisions(
    kit: Kit, history: History
) -> None:
    body = "assert op.get_bind().scalar(sa.text(\"SELECT '50 %'\")) == '50 %'"
    write_revision(kit.migrations, "c3", "b2", body, body)
    history.goes_up_down_and_up()


@on_each_server
def test_whatever_a_table_has_is_compared(kit: Kit, history: History) -> None:
    columns = (
        "sa.Column('id', sa.Integer, primary_key=True)",
        "sa.Column('other', sa.Integer, sa.ForeignKey('note.id', ondelete='CASCADE',"
        " name='fk_other'))",
        "sa.Column('size', sa.Integer, server_default='3', nullable=False)",
        "sa.UniqueConstraint('size', name='uq_size')",
        "sa.CheckConstraint('size > 2', name='ck_size')",
        "sa.Index('ix_both', 'size', 'other')",
    )
    write_revision(kit.migrations, "c3", "b2", create_table("more", *columns))
    _, lines = failure(history.goes_up_down_and_up)

    for line in (
        "+ table more",
        "+ column more.size INTEGER",
        "+ foreign key more.fk_other (other) to note (id) ondelete CASCADE",
        "+ check constraint more.ck_size",
        "+ index more.ix_both (size, other)",
        "+ primary key more.",
    ):
        assert any(found.startswith(line) for found in lines), (line, lines)

    unique = "+ unique constraint more.uq_size (size)"
    # Where it is nothing but an index.
    assert {unique, "+ index more.uq_size unique (size)"} & {*lines}
    assert any("default" in found and "3" in found for found in lines)


@on_aiosqlite
def test_a_script_that_fails_is_found(kit: Kit, history: History) -> None:
    write_revision(
        kit.migrations,
        "c3",
        "b2",
        "if context.is_offline_mode():\n    op.execute('SELECT * FROM none')",
        top="from alembic import context",
    )
    sentence, lines = failure(history.is_the_same_offline)
    assert sentence.startswith("The SQL script of the history fails, although the")
    assert "none" in lines[0]


@on_aiosqlite
def test_a_revision_that_is_not_the_same_when_repeated_is_found(
    kit: Kit, history: History
) -> None:
    write_revision(
        kit.migrations,
        "c3",
        "b2",
        "seen.append(1)\nop.create_table(f't{len(seen)}', sa.Column('id', sa.Integer))",
        "op.drop_table(f't{len(seen)}')",
        top="seen = []",
    )
    sentence, lines = failure(history.goes_up_down_and_up)
    assert "creates a different schema on the second upgrade" in sentence
    assert {"- table t1", "+ table t2"} <= set(lines)


@on_postgresql
def test_what_no_inspector_tells_is_compared(kit: Kit, history: History) -> None:
    """Types that outlive their tables are the first thing that is left behind."""
    statements = {
        "type mood": ("CREATE TYPE mood AS ENUM ('sad', 'ok')", "DROP TYPE mood"),
        "view v": ("CREATE VIEW v AS SELECT 1 AS one", "DROP VIEW v"),
        "sequence s": ("CREATE SEQUENCE s", "DROP SEQUENCE s"),
        "schema extra": ("CREATE SCHEMA extra", "DROP SCHEMA extra"),
        "function f()": (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION f()",
        ),
        "type digits": ("CREATE DOMAIN digits AS text", "DROP DOMAIN digits"),
    }
    up = "\n".join(f"op.execute({create!r})" for create, _ in statements.values())
    down = "\n".join(f"op.execute({drop!r})" for _, drop in statements.values())
    write_revision(kit.migrations, "c3", "b2", up, down)
    history.goes_up_down_and_up()
    history.leaves_no_trace()

    write_revision(kit.migrations, "c3", "b2", up)
    _, lines = failure(history.leaves_no_trace)
    assert {line.removeprefix("+ ").split(" ", 1)[0] for line in lines} >= {
        *("type", "view", "sequence", "schema", "function"),
    }

    for name in statements:
        assert any(line.startswith(f"+ {name}") for line in lines), name


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy"), by_id("sqlite-sqlite3")])
def test_views_and_triggers_are_compared(kit: Kit, history: History) -> None:
    is_mariadb = kit.backend.database == "mariadb"
    body = "SET NEW.text = 'x'" if is_mariadb else "BEGIN SELECT 1; END"
    write_revision(
        kit.migrations,
        "c3",
        "b2",
        "op.execute('CREATE VIEW v AS SELECT id FROM note')\n"
        'op.execute("CREATE TRIGGER tr BEFORE INSERT ON note FOR EACH ROW '
        f'{body}")',
    )
    _, lines = failure(history.goes_up_down_and_up)
    assert any(line.startswith("+ view v") for line in lines)
    assert any(line.startswith("+ trigger tr") for line in lines)


@on_each_server
def test_models_that_differ_are_found(kit: Kit, history: History) -> None:
    write_revision(
        kit.migrations, "c3", "b2", "op.add_column('note', sa.Column('x', sa.Integer))"
    )
    sentence, lines = failure(history.matches_models)
    assert sentence.startswith("The models differ from the migrated database.")
    assert lines[0] == "remove column note.x"
    assert any("drop_column" in line for line in lines)


def alembics_of(databases: list[FreshDatabase]) -> list[Alembic]:
    """The extensions of databases, which hold the apps."""
    alembics = [database.alembic for database in databases]
    return [alembic for alembic in alembics if isinstance(alembic, Alembic)]


@on_each_server
def test_models_can_be_asserted_to_match(kit: Kit) -> None:
    databases = kit.databases()
    made = [databases.make(target) for target in ("heads", "a1")]
    at_head, before = alembics_of(made)
    assert_models_match(at_head.sync)
    _, lines = failure(assert_models_match, before.sync)
    assert lines[0] == "add column note.done"


@on_aiosqlite
async def test_models_can_be_asserted_to_match_by_awaiting(kit: Kit) -> None:
    databases = kit.databases()
    made = [databases.make(target) for target in ("heads", "a1")]
    at_head, before = alembics_of(made)
    await assert_models_match(at_head)

    with pytest.raises(AssertionError, match="add column note.done"):
        await assert_models_match(before)


@on_each_server
def test_lost_data_is_found(kit: Kit, history: History) -> None:
    write_revision(kit.migrations, "c3", "b2", "op.execute('DELETE FROM note')")
    rows = {"note": [{"id": 7, "text": "kept"}]}
    data = {"c3": RevisionData(before=rows, after=rows)}
    sentence, lines = failure(history.keeps_data, data)
    assert "Revision c3 (" in sentence and "table 'note' lacks rows" in sentence
    assert lines == ["- {'id': 7, 'text': 'kept'}"]

    def insert(connection: sa.Connection) -> None:
        connection.execute(NOTE.insert().values(id=7, text="kept"))

    def check(connection: sa.Connection) -> None:
        assert connection.execute(sa.select(NOTE.c.text)).all() == [("kept",)], "gone"

    data = {"c3": RevisionData(before=insert, after=check)}
    sentence, lines = failure(history.keeps_data, data)
    assert "Revision c3 (" in sentence and "does not preserve the data" in sentence
    assert "gone" in lines[0]

    sentence, _ = failure(history.keeps_data, {"x9": RevisionData()})
    assert sentence.startswith("There is data for x9, but no such revision.")


@on_each_server
def test_a_script_that_does_something_else_is_found(kit: Kit, history: History) -> None:
    write_revision(
        kit.migrations,
        "c3",
        "b2",
        "if not context.is_offline_mode():\n    " + create_table("online"),
        top="from alembic import context",
    )
    sentence, lines = failure(history.is_the_same_offline)
    assert sentence.startswith("The SQL script of the history creates a different")
    assert "- table online" in lines
    # And the script.
    assert any(line.startswith("ALTER TABLE note ADD") for line in lines)


@on_each_server
def test_a_revision_that_needs_a_database_is_found(kit: Kit, history: History) -> None:
    write_revision(
        kit.migrations, "c3", "b2", "op.get_bind().execute(sa.text('SELECT 1')).all()"
    )
    sentence, _ = failure(history.is_the_same_offline)
    assert "Revision c3 (" in sentence and "cannot be written as SQL" in sentence


@on([by_id("postgresql-asyncpg"), by_id("mariadb-asyncmy")])
def test_signs_that_drivers_read_are_the_same_offline(
    kit: Kit, history: History
) -> None:
    write_revision(
        kit.migrations,
        "c3",
        "b2",
        "op.execute(\"INSERT INTO note (text) VALUES ('50 % \\\\:x; --y')\")",
    )
    history.is_the_same_offline()


@on_aiosqlite
def test_batches_of_sqlite_have_no_script(kit: Kit, history: History) -> None:
    write_revision(
        kit.migrations,
        "c3",
        "b2",
        "with op.batch_alter_table('note') as batch:\n"
        "    batch.alter_column('text', type_=sa.String(60))",
    )

    with pytest.raises(CheckSkippedError, match="batch mode"):
        history.is_the_same_offline()


@on_aiosqlite
def test_an_edited_revision_is_found(kit: Kit, history: History) -> None:
    commit(kit.root, "v1")
    path = kit.migrations / "b2.py"
    text = path.read_text()
    # What no database notices.
    path.write_text(f"# A comment.\n{text.replace('Revision b2.', 'Another text.')}")
    history.is_as_released("v1")

    path.write_text(text.replace("sa.Integer", "sa.BigInteger"))
    sentence, lines = failure(history.is_as_released, "v1")
    assert sentence.startswith("Revision b2 was edited since 'v1'. Databases that are")
    assert any("-" in line and "sa.Integer" in line for line in lines)
    assert any("+" in line and "sa.BigInteger" in line for line in lines)

    path.unlink()
    assert failure(history.is_as_released, "v1")[0].startswith(
        "Revision b2 of 'v1' was removed. Databases at this"
    )


@on_each_server
def test_a_released_database_that_ends_up_different_is_found(
    kit: Kit, history: History
) -> None:
    commit(kit.root, "v1")
    path = kit.migrations / "b2.py"
    text = path.read_text()
    path.write_text(text.replace("sa.Integer", "sa.Text"))
    sentence, lines = failure(history.goes_up_from_release, "v1")
    assert sentence.startswith(
        "A database upgraded from 'v1' differs from one upgraded"
    )
    assert any(line.startswith("- column note.done TEXT") for line in lines)


@on_aiosqlite
def test_folders_of_a_release_may_be_elsewhere(kit: Kit, history: History) -> None:
    more = kit.root / "more"
    write_revision(more, "c3", "b2", "pass")
    original = kit.app

    def app(url: str) -> Any:
        made = original(url)
        made.config["ALEMBIC"]["version_locations"] = ["more", "later"]
        (kit.root / "later").mkdir(exist_ok=True)
        return made

    databases = kit.databases(factory=app)
    history = History(lambda target: databases.make(target))
    commit(kit.root, "v1")
    write_revision(kit.root / "later", "d4", "c3", "pass")
    history.is_as_released("v1")
    history.goes_up_from_release("v1")
    (more / "c3.py").unlink()
    assert "c3" in failure(history.is_as_released, "v1")[0]


@on_aiosqlite
def test_what_is_no_release_cannot_be_compared_with(kit: Kit, history: History) -> None:
    commit(kit.root, "v1")

    for check in history.is_as_released, history.goes_up_from_release:
        with pytest.raises(
            CheckSkippedError, match="Git cannot export the files of 'v2'"
        ):
            check("v2")

    with pytest.raises(CheckSkippedError, match="'a1' is a revision"):
        history.is_as_released("a1")


@on_each_server
def test_all_revisions_that_fail_are_listed(kit: Kit, history: History) -> None:
    """An old history has more than one, and what follows them is tested as well."""
    write_revision(kit.migrations, "c3", "b2", create_table("c"))
    write_revision(kit.migrations, "d4", "c3", create_table("d"), "op.drop_table('d')")
    write_revision(kit.migrations, "e5", "d4", "pass", "op.drop_table('none')")
    write_revision(kit.migrations, "f6", "e5", create_table("f"))
    sentence, lines = failure(history.goes_up_down_and_up)
    assert sentence == "There are 3 failures."
    failed = [line.split()[1] for line in lines if line.startswith("Revision ")]
    assert failed == ["c3", "e5", "f6"]

    write_revision(kit.migrations, "a7", "f6", "op.drop_table('none')")
    write_revision(kit.migrations, "b8", "a7", create_table("g"))
    sentence, lines = failure(history.goes_up_down_and_up)
    assert sentence == "There are 4 failures."
    assert any("a7" in line and "fails to upgrade" in line for line in lines)


@on_each_server
def test_revisions_that_are_known_to_fail_are_only_upgraded(
    kit: Kit, history: History
) -> None:
    commit(kit.root, "v1")
    write_revision(kit.migrations, "c3", "b2", create_table("c"))
    write_revision(kit.migrations, "d4", "c3", create_table("d"))
    known = History(history._make, {"c3": "No downgrade, #12", "d4": "Like c3."})
    known.goes_up_down_and_up()
    known.goes_up_from_base()

    with pytest.raises(CheckSkippedError, match=r"fail: c3 \(No downgrade, #12\), d4"):
        known.leaves_no_trace()

    write_revision(kit.migrations, "e5", "d4", create_table("e"))
    sentence, _ = failure(known.goes_up_down_and_up)
    assert sentence.startswith("Revision e5 (")

    body = "op.get_bind().execute(sa.text('SELECT 1')).all()"
    write_revision(kit.migrations, "c3", "b2", body)

    with pytest.raises(CheckSkippedError, match="Known to fail: c3"):
        known.is_the_same_offline()

    sentence, _ = failure(History(history._make, {"x9": ""}).goes_up_down_and_up)
    assert sentence.startswith("x9 is listed as known to fail, but there is no such")


@on_aiosqlite
def test_all_edited_revisions_are_listed(kit: Kit, history: History) -> None:
    write_revision(kit.migrations, "c3", "b2", "pass")
    commit(kit.root, "v1")
    write_revision(kit.migrations, "b2", "a1", "pass")
    write_revision(kit.migrations, "c3", "b2", "print()")
    sentence, lines = failure(history.is_as_released, "v1")
    assert sentence == "There are 2 failures."
    assert {line.split()[1] for line in lines if "was edited" in line} == {"b2", "c3"}
    known = History(history._make, {"b2": "Mended by hand.", "c3": "So was this."})
    known.is_as_released("v1")


@on_aiosqlite
def test_a_revision_is_compared_in_the_encoding_that_it_declares(
    kit: Kit, history: History
) -> None:
    coding = "# -*- coding: latin-1 -*-\n"
    path = write_revision(kit.migrations, "c3", "b2", "print('\u00fc')")
    path.write_bytes(f"{coding}{path.read_text()}".encode("latin-1"))
    commit(kit.root, "v1")
    history.is_as_released("v1")
    path.write_bytes(path.read_bytes().replace("\u00fc".encode("latin-1"), b"u"))

    with pytest.raises(CheckFailedError, match="c3 was edited"):
        history.is_as_released("v1")


@on_each_server
def test_all_lost_rows_are_listed(kit: Kit, history: History) -> None:
    write_revision(kit.migrations, "c3", "b2", "op.execute('DELETE FROM note')")
    rows = {"note": [{"id": 7, "text": "kept"}]}
    lost = RevisionData(after=rows)
    sentence, lines = failure(history.keeps_data, {"b2": lost, "c3": lost})
    assert sentence == "There are 2 failures."
    assert {line.split()[1] for line in lines if "lacks rows" in line} == {"b2", "c3"}


ENUM = "sa.Enum('sad', 'ok', name='mood')"


@on_postgresql
def test_a_type_that_is_dropped_with_its_table_can_be_created_again(
    kit: Kit, history: History
) -> None:
    """Alembic's context would remember that the type was created."""
    write_revision(
        kit.migrations,
        "c3",
        "b2",
        create_table("c", f"sa.Column('mood', {ENUM})"),
        f"op.drop_table('c')\n{ENUM}.drop(op.get_bind())",
    )
    history.goes_up_down_and_up()
    history.leaves_no_trace()


@on_postgresql
def test_two_revisions_that_drop_one_type_are_found(kit: Kit, history: History) -> None:
    """The second one creates it only if it is not there."""
    for revision, down, table in ("c3", "b2", "c"), ("d4", "c3", "d"):
        write_revision(
            kit.migrations,
            revision,
            down,
            create_table(table, f"sa.Column('mood', {ENUM})"),
            f"op.drop_table('{table}')\n{ENUM}.drop(op.get_bind(), checkfirst=True)",
        )

    sentence, lines = failure(history.goes_up_down_and_up)
    assert "Revision d4 (" in sentence and "fails to downgrade" in sentence
    assert any("mood" in line for line in lines)


POSTGRESQL_CHANGES = {
    "valid": (
        "ALTER TABLE note ADD CONSTRAINT k CHECK (id > 0) NOT VALID",
        "ALTER TABLE note VALIDATE CONSTRAINT k",
    ),
    "row level security": ("", "ALTER TABLE note ENABLE ROW LEVEL SECURITY"),
    "forced": ("", "ALTER TABLE note FORCE ROW LEVEL SECURITY"),
    "unlogged": ("", "ALTER TABLE note SET UNLOGGED"),
    "replica identity": ("", "ALTER TABLE note REPLICA IDENTITY FULL"),
    "storage parameter": ("", "ALTER TABLE note SET (fillfactor = 70)"),
    "view": (
        "CREATE VIEW v AS SELECT 1 AS one",
        "DROP VIEW v; CREATE MATERIALIZED VIEW v AS SELECT 1 AS one",
    ),
    "index of a view": (
        "CREATE MATERIALIZED VIEW v AS SELECT 1 AS one",
        "CREATE INDEX i ON v (one)",
    ),
    "inheritance": (
        "CREATE TABLE child (LIKE note INCLUDING ALL)",
        "ALTER TABLE child INHERIT note",
    ),
    "statistics": ("", "CREATE STATISTICS s ON id, text FROM note"),
    "rule": ("", "CREATE RULE r AS ON DELETE TO note DO INSTEAD NOTHING"),
    "disabled rule": (
        "CREATE RULE r AS ON DELETE TO note DO INSTEAD NOTHING",
        "ALTER TABLE note DISABLE RULE r",
    ),
    "storage": ("", "ALTER TABLE note ALTER text SET STORAGE EXTERNAL"),
    "owner of a sequence": (
        "CREATE SEQUENCE s",
        "ALTER SEQUENCE s OWNED BY note.id",
    ),
    "deferrable": (
        "ALTER TABLE note ADD CONSTRAINT k UNIQUE (text)",
        "ALTER TABLE note DROP CONSTRAINT k, ADD CONSTRAINT k UNIQUE (text) DEFERRABLE",
    ),
    "sorting": (
        "CREATE INDEX i ON note (text)",
        "DROP INDEX i; CREATE INDEX i ON note (text DESC)",
    ),
    "comment": ("", "COMMENT ON TABLE note IS 'x'"),
}
MARIADB_CHANGES = {
    "engine": ("", "ALTER TABLE note ENGINE = Aria"),
    "row format": ("", "ALTER TABLE note ROW_FORMAT = COMPACT"),
    "collation": ("", "ALTER TABLE note DEFAULT COLLATE latin1_bin"),
    "versioning": ("", "ALTER TABLE note ADD SYSTEM VERSIONING"),
    "invisible": ("", "ALTER TABLE note MODIFY done INT INVISIBLE"),
    "check": ("", "ALTER TABLE note ADD CONSTRAINT k CHECK (done > 0)"),
}
SQLITE_CHANGES = {
    "without rowid": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY)",
        "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY) WITHOUT ROWID",
    ),
    "strict": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY)",
        "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT",
    ),
}
CHANGES = {
    "postgresql-psycopg2": POSTGRESQL_CHANGES,
    "mariadb-pymysql": MARIADB_CHANGES,
    "sqlite-sqlite3": SQLITE_CHANGES,
}


@on([by_id(name) for name in CHANGES])
def test_each_property_of_a_table_is_compared(kit: Kit) -> None:
    """A downgrade that forgets one of them would not be found otherwise."""
    databases = kit.databases()

    for name, (first, then) in CHANGES[str(kit.backend)].items():
        database = databases.make()
        execute_each(database, first)
        before = database.fresh_app.run(read_schema)
        assert not differences(before, database.fresh_app.run(read_schema)), name
        execute_each(database, then)
        assert differences(before, database.fresh_app.run(read_schema)), name
        database.close()


def execute_each(database: FreshDatabase, statements: str) -> None:
    for statement in filter(None, statements.split("; ")):
        query(database, statement)
