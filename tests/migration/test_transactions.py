"""When a migration's changes are there to stay: as under Alembic's own command line,
and, where that leaves a mess, as it should be.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic.errors import AsyncAlembicError
from async_alembic.errors import MigrationError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import awaited_only
from ..harness import Caller
from ..harness import create_table
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from ..twins import FAIL
from ..twins import INSERT
from ..twins import LOG
from ..twins import MARIADB
from ..twins import on_atomic_backends
from ..twins import on_each_kind
from ..twins import on_postgresql
from ..twins import ONE_EACH
from ..twins import Outcome
from ..twins import per_migration
from ..twins import POSTGRESQL
from ..twins import SQLITE
from ..twins import Twin


def histories(named: dict[str, list[str]]) -> pytest.MarkDecorator:
    """Run a test with each history, and with a transaction for each revision where
    the history ends or leaves one.
    """
    return pytest.mark.parametrize(
        ("name", "twin"),
        [
            pytest.param(name, options, id=f"{name}-{mode}")
            for name, upgrades in named.items()
            for mode, options in [("one_transaction", {}), ("one_each", ONE_EACH)]
            if not options or "auto" in str(upgrades) or "nested" in str(upgrades)
        ],
        indirect=["twin"],
    )


RECORD = 'op.bulk_insert(sa.table("seen", sa.column("x")), [{{"x": f"{{{}=}}"}}])'
SEEN = "op.create_table('seen', sa.Column('x', sa.String(500)))"


def record(*expressions: str) -> str:
    return "\n".join([SEEN, *(RECORD.format(each) for each in expressions)])


#: Histories whose end is the same with Alembic's command line, on every database.
HISTORIES: dict[str, list[str]] = {
    "tables_and_rows": [LOG, INSERT.format(1), INSERT.format(2)],
    "savepoint": [
        f"{LOG}\nwith op.get_bind().begin_nested():\n    {INSERT.format(1)}",
        f"nested = op.get_bind().begin_nested()\n{INSERT.format(2)}\nnested.rollback()",
    ],
    "session": [
        LOG,
        "from sqlalchemy.orm import Session\n"
        "session = Session(bind=op.get_bind())\n"
        "session.execute(sa.text('INSERT INTO log VALUES (1)'))\n"
        "session.commit()\nsession.close()",
        INSERT.format(2),
    ],
    "autocommit_block": [
        LOG,
        f"{INSERT.format(1)}\n"
        f"with op.get_context().autocommit_block():\n    {INSERT.format(2)}\n"
        f"{INSERT.format(3)}",
        INSERT.format(4),
    ],
    "autocommit_block_in_the_end": [
        LOG,
        f"with op.get_context().autocommit_block():\n    {INSERT.format(1)}",
    ],
    "one_connection": [
        record("1 if op.get_bind() is op.get_context().bind else 2"),
        RECORD.format("op.get_bind() is op.get_context().connection"),
    ],
    "what_the_context_says": [
        "from alembic import context\n"
        + record(
            "context.get_x_argument()",
            "context.get_x_argument(as_dictionary=True)",
            "context.is_offline_mode()",
            "context.get_head_revision()",
            "context.get_head_revisions()",
            "context.get_starting_revision_argument()",
            "context.get_revision_argument()",
            "context.get_tag_argument()",
            "context.requires_connection()",
            "context.get_bind() is op.get_bind()",
            "context.get_context() is op.get_context()",
            "context.config == op.get_context().config",
            "context.config.get_main_option('sqlalchemy.url') is not None",
            "context.script.get_current_head()",
        ),
        RECORD.format("op.get_context().get_current_heads()"),
    ],
    "what_op_says": [
        record(
            "op.get_context().as_sql",
            "op.get_context().dialect.name",
            "op.get_context().environment_context is not None",
            "op.get_context().version_table",
            "op.get_context().opts.get('transaction_per_migration', False)",
            "op.get_context().get_current_heads()",
            "op.get_bind().in_transaction()",
            "op.get_bind().get_nested_transaction()",
            "op.get_bind().dialect.name",
            "op.f('name')",
        )
    ],
}


@awaited_only
@on([*SQLITE, *POSTGRESQL, by_id("mariadb-asyncmy")])
@histories(HISTORIES)
def test_an_upgrade_ends_as_with_the_command_line_of_alembic(
    name: str, twin: Twin
) -> None:
    twin.history(*HISTORIES[name])
    assert twin.outcome() == twin.outcome_of_alembic()


@on_each_kind
@per_migration
@pytest.mark.parametrize(
    "after_commit",
    [
        pytest.param(INSERT.format(1), id="by_itself"),
        pytest.param(
            f"with op.get_bind().begin():\n    {INSERT.format(1)}", id="in_a_block"
        ),
    ],
)
def test_what_follows_a_commit_is_kept(after_commit: str, twin: Twin) -> None:
    """With Alembic alone, it is rolled back on PostgreSQL, and no error tells of it."""
    twin.history(f"{LOG}\nop.get_bind().commit()\n{after_commit}", INSERT.format(2))
    assert twin.upgrade() == ["a1", "a2"]
    assert twin.look(twin.engine, None) == Outcome(None, ["a2"], {"log": [(1,), (2,)]})


#: How a revision ends or begins transactions by itself. Each inserts a row that is
#: there in the end, but for the one that is rolled back.
BY_ITSELF = {
    "commit": "{insert}\nop.get_bind().commit()",
    "begin": ("op.get_bind().commit()\nwith op.get_bind().begin():\n    {insert}\n"),
    "begin_and_leave": "op.get_bind().commit()\nop.get_bind().begin()\n{insert}",
    "rollback": "op.get_bind().commit()\n{insert}\nop.get_bind().rollback()",
    "begin_nested": "with op.get_bind().begin_nested():\n    {insert}",
    "begin_nested_and_leave": "op.get_bind().begin_nested()\n{insert}",
    "autocommit_block": "with op.get_context().autocommit_block():\n    {insert}",
    "nothing": "{insert}",
}


@on_each_kind
@per_migration
def test_a_revision_ends_transactions_as_it_likes(twin: Twin) -> None:
    """With Alembic alone, an autocommit block fails after a commit, and a query."""
    upgrades, rows = [f"{LOG}\nop.get_bind().commit()"], []

    for first, second in itertools.product(BY_ITSELF, repeat=2):
        names = [first, second, "autocommit_block", second]
        inserts = [
            BY_ITSELF[name].format(insert=INSERT.format(f"{len(upgrades)}{n}"))
            for n, name in enumerate(names)
        ]
        rows += [
            (int(f"{len(upgrades)}{n}"),)
            for n, name in enumerate(names)
            if name != "rollback"
        ]
        upgrades.append("\n".join(inserts))

    twin.history(*upgrades)
    twin.upgrade()
    head = f"a{len(upgrades)}"
    assert twin.look(twin.engine, None) == Outcome(None, [head], {"log": sorted(rows)})


@on_atomic_backends
def test_a_failure_after_a_commit_takes_back_what_followed_it(twin: Twin) -> None:
    commit = "op.get_bind().commit()"
    twin.history(LOG, f"{INSERT.format(1)}\n{commit}", f"{INSERT.format(2)}\n{FAIL}")

    with pytest.raises(MigrationError):
        twin.upgrade()

    # The first two are complete.
    assert twin.look(twin.engine, None) == Outcome(None, ["a2"], {"log": [(1,)]})
    twin.revision("a3", "a2", INSERT.format(2))
    assert twin.upgrade() == ["a3"]


@awaited_only
@on([*POSTGRESQL, *MARIADB])
@per_migration
def test_a_rollback_ends_as_with_the_command_line_of_alembic(twin: Twin) -> None:
    """On SQLite, Alembic has no transaction for all revisions that could end."""
    rollback = f"{INSERT.format(1)}\nop.get_bind().rollback()"
    twin.history(LOG, rollback, "pass")
    assert twin.outcome() == twin.outcome_of_alembic()


#: What works on PostgreSQL only.
POSTGRESQL_HISTORIES = {
    "index_concurrently": [
        LOG,
        "with op.get_context().autocommit_block():\n"
        "    op.execute('CREATE INDEX CONCURRENTLY log_id ON log (id)')",
        "with op.get_context().autocommit_block():\n"
        "    op.create_index('log_id2', 'log', ['id'], postgresql_concurrently=True)\n"
        f"{INSERT.format(1)}",
    ],
    "enum_value": [
        "op.execute(\"CREATE TYPE mood AS ENUM ('sad')\")",
        "with op.get_context().autocommit_block():\n"
        "    op.execute(\"ALTER TYPE mood ADD VALUE 'happy'\")",
        "op.execute('CREATE TABLE moods (mood mood)')\n"
        "op.execute(\"INSERT INTO moods VALUES ('happy')\")",
    ],
    "one_enum_in_two_revisions": [
        "op.create_table('a', sa.Column('mood', sa.Enum('sad', 'happy', name='mood')))",
        "op.create_table('b', sa.Column('mood', sa.Enum('sad', 'happy', name='mood')))",
    ],
    "one_enum_in_two_tables": [
        "mood = sa.Enum('sad', 'happy', name='mood')\n"
        "op.create_table('a', sa.Column('mood', mood))\n"
        "op.create_table('b', sa.Column('mood', mood))",
    ],
    "enum_made_by_hand": [
        "from sqlalchemy.dialects import postgresql\n"
        "mood = postgresql.ENUM('sad', name='mood', create_type=False)\n"
        "mood.create(op.get_bind(), checkfirst=True)\n"
        "op.create_table('a', sa.Column('mood', mood))",
    ],
}


@awaited_only
@on_postgresql
@histories(POSTGRESQL_HISTORIES)
def test_an_upgrade_of_postgresql_ends_as_with_the_command_line_of_alembic(
    name: str, twin: Twin
) -> None:
    twin.history(*POSTGRESQL_HISTORIES[name])
    assert twin.outcome() == twin.outcome_of_alembic()


@on([by_id("sqlite-sqlite3"), by_id("postgresql-asyncpg")])
def test_every_revision_of_an_upgrade_sees_one_migration_context(twin: Twin) -> None:
    """Alembic remembers there which enum types it has made."""
    twin.history(
        "op.get_context().opts['mark'] = 'x'",
        "assert op.get_context().opts['mark'] == 'x'",
    )
    assert twin.upgrade() == ["a1", "a2"]


@on_postgresql
def test_a_commit_that_fails_is_told_in_a_sentence(twin: Twin) -> None:
    """A deferred constraint is only checked then."""
    insert = "op.execute('INSERT INTO log VALUES (1), (1)')"
    unique = "sa.UniqueConstraint('id', initially='DEFERRED')"
    twin.history(LOG.replace("))", f"), {unique})"), insert)

    with pytest.raises(AsyncAlembicError, match="log_id_key") as caught:
        twin.upgrade()

    assert isinstance(caught.value.__cause__, sa.exc.IntegrityError)
    assert twin.caller.tables(twin.engine) == set()
    assert twin.caller.versions(twin.engine) == []


@on([by_id("sqlite-sqlite3"), by_id("postgresql-asyncpg")])
def test_revisions_can_read_the_config(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Its own keys, its sections, and the URL, as from an ``alembic.ini``."""
    options = {"tenant": "acme", "mail": {"host": "localhost"}}
    app = make_app("flask", tmp_path, ALEMBIC=options)
    engine = engines(backend)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    url = engine.url.render_as_string(hide_password=False)
    write_revision(
        tmp_path / "migrations",
        "a1",
        upgrade=f"""
        config = op.get_context().config
        assert config.get_main_option("sqlalchemy.url") == {url!r}
        assert config.get_main_option("tenant") == "acme"
        assert config.get_section("mail")["host"] == "localhost"
        assert config.get_section("alembic")["sqlalchemy.url"] == {url!r}
        """,
    )
    assert ids(caller(alembic, "upgrade")) == ["a1"]


@on([by_id("sqlite-sqlite3"), by_id("postgresql-asyncpg")])
def test_on_version_apply_is_called_for_each_revision(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    calls = []

    def note(*, ctx: Any, step: Any, heads: Any, run_args: Any, **kwargs: Any) -> None:
        calls.append((step.up_revision_id, step.is_upgrade, {*heads}))

    app = make_app("flask", tmp_path, ALEMBIC_CONTEXT={"on_version_apply": note})
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engines(backend))
    write_revision(tmp_path / "migrations", "a1")
    write_revision(tmp_path / "migrations", "a2", "a1")
    caller(alembic, "upgrade")
    caller(alembic, "downgrade")
    assert calls == [("a1", True, {"a1"}), ("a2", True, {"a2"}), ("a2", False, {"a1"})]


FAILURES = {
    "table": f"{create_table('users')}\n{FAIL}",
    "data": f"{INSERT.format(2)}\nop.execute('UPDATE log SET id = 3')\n{FAIL}",
    "drop": f"op.drop_table('log')\n{FAIL}",
    "batch": "with op.batch_alter_table('log', recreate='always') as batch:\n"
    f"    batch.add_column(sa.Column('x', sa.Integer))\n{FAIL}",
    "index": f"op.create_index('i', 'log', ['id'])\n{FAIL}",
    "statement": f"{create_table('users')}\nop.execute('SELECT nonsense')",
    "enum": f"op.create_table('a', sa.Column('m', sa.Enum('x', name='m')))\n{FAIL}",
    "savepoint": "with op.get_bind().begin_nested():\n"
    f"    op.drop_table('log')\n{FAIL}",
    "rename": f"op.rename_table('log', 'book')\n{FAIL}",
}


@on_atomic_backends
@awaited_only
@pytest.mark.parametrize("name", FAILURES)
def test_an_upgrade_that_fails_leaves_everything_as_it_was(
    name: str, twin: Twin
) -> None:
    """Also what the revisions before the failing one did. With Alembic alone, SQLite
    would be left with half of it.
    """
    twin.history(f"{LOG}\n{INSERT.format(1)}")
    twin.upgrade()
    before = twin.dump()
    twin.history(f"{LOG}\n{INSERT.format(1)}", create_table("other"), FAILURES[name])

    for _ in range(2):
        with pytest.raises(MigrationError) as caught:
            twin.upgrade()

        assert caught.value.revision == "a3"
        assert twin.dump() == before

    twin.revision("a3", "a2", "pass")
    assert twin.upgrade() == ["a2", "a3"]
    assert twin.caller.tables(twin.engine) == {"log", "other"}


@on_atomic_backends
def test_a_first_upgrade_that_fails_leaves_nothing(twin: Twin) -> None:
    """Not even an empty version table."""
    twin.history(LOG, FAILURES["data"])
    before = twin.dump() if twin.backend.database == "sqlite" else None

    with pytest.raises(MigrationError):
        twin.upgrade()

    assert twin.caller.tables(twin.engine) == set()
    assert twin.caller.versions(twin.engine) == []
    assert before is None or twin.dump() == before


@on_atomic_backends
def test_a_downgrade_that_fails_leaves_everything_as_it_was(twin: Twin) -> None:
    twin.revision("a1", None, LOG, downgrade=f"op.drop_table('log')\n{FAIL}")
    twin.revision(
        "a2", "a1", INSERT.format(1), downgrade="op.execute('DELETE FROM log')"
    )
    twin.upgrade()
    before = twin.dump()

    with pytest.raises(MigrationError) as caught:
        twin.downgrade("base")

    assert caught.value.revision == "a1"
    assert twin.dump() == before


@on_atomic_backends
@pytest.mark.parametrize("twin", [ONE_EACH], ids=["one_each"], indirect=True)
def test_with_a_transaction_for_each_the_last_complete_revision_stays(
    twin: Twin,
) -> None:
    twin.history(LOG, INSERT.format(1), FAILURES["drop"])

    with pytest.raises(MigrationError):
        twin.upgrade()

    assert twin.look(twin.engine, None) == Outcome(None, ["a2"], {"log": [(1,)]})


@on_postgresql
def test_what_stood_before_an_autocommit_block_stays(twin: Twin) -> None:
    """The block commits it, as Alembic's documentation says."""
    block = f"with op.get_context().autocommit_block():\n    {INSERT.format(1)}"
    twin.history(LOG, f"{block}\n{INSERT.format(2)}\n{FAIL}")

    with pytest.raises(MigrationError):
        twin.upgrade()

    assert twin.look(twin.engine, None) == Outcome(None, ["a1"], {"log": [(1,)]})


@on_postgresql
def test_a_revision_with_such_a_block_is_complete_if_a_later_one_fails(
    twin: Twin,
) -> None:
    """What is behind the block would be rolled back with the later one, and what is
    before it would be there without a record.
    """
    block = f"with op.get_context().autocommit_block():\n    {INSERT.format(1)}"
    twin.history(f"{LOG}\n{block}\n{INSERT.format(2)}", INSERT.format(3), FAIL)

    with pytest.raises(
        MigrationError, match=r"no\. What .* is at a1\. Correct the revision"
    ):
        twin.upgrade()

    rows = {"log": [(1,), (2,)]}
    assert twin.look(twin.engine, None) == Outcome(None, ["a1"], rows)


@on_postgresql
def test_the_error_says_that_a_part_of_the_revision_stays(twin: Twin) -> None:
    twin.history(f"{LOG}\nop.get_bind().commit()\n{INSERT.format(1)}\n{FAIL}")

    with pytest.raises(MigrationError) as e:
        twin.upgrade()

    assert "no. What the revision has committed itself stays applied;" in str(e.value)
    assert twin.look(twin.engine, None).rows == {"log": []}


@on_atomic_backends
def test_a_failure_in_an_autocommit_block_leaves_a_sound_pool(twin: Twin) -> None:
    twin.history(LOG)
    twin.upgrade()
    twin.history(LOG, f"with op.get_context().autocommit_block():\n    {FAIL}")

    with pytest.raises(MigrationError):
        twin.upgrade()

    twin.caller.execute(twin.engine, "INSERT INTO log VALUES (1)")
    level = (
        "SELECT 1"
        if twin.backend.database == "sqlite"
        else "SHOW transaction_isolation"
    )
    assert twin.caller.query(twin.engine, level) in ([(1,)], [("read committed",)])
    twin.revision("a2", "a1", f"{INSERT.format(2)}\n{FAIL}")
    before = twin.dump()

    with pytest.raises(MigrationError):
        twin.upgrade()

    assert twin.dump() == before


@on_postgresql
def test_an_autocommit_block_that_cannot_be_entered_leaves_a_sound_pool(
    twin: Twin,
) -> None:
    """It begins with a commit, which a deferred constraint can refuse."""
    twin.history(
        "op.execute('CREATE TABLE log (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)')"
    )
    twin.upgrade()
    insert = INSERT.format(1)
    block = "with op.get_context().autocommit_block():\n    pass"
    twin.revision("a2", "a1", f"{insert}\n{insert}\n{block}")

    with pytest.raises(MigrationError, match="duplicate key"):
        twin.upgrade()

    assert twin.look(twin.engine, None) == Outcome(None, ["a1"], {"log": []})
    level = twin.caller.query(twin.engine, "SHOW transaction_isolation")
    assert level == [("read committed",)]


@on_postgresql
def test_ctrl_c_is_what_comes_out_of_an_autocommit_block(twin: Twin) -> None:
    """Whose end fails, if the connection has been lost."""
    lose = "op.get_bind().invalidate()\n    raise KeyboardInterrupt"
    block = "with op.get_context().autocommit_block():\n    {}"
    twin.history(LOG, block.format(lose))

    with pytest.raises(KeyboardInterrupt):
        twin.upgrade()

    twin.revision("a2", "a1", block.format(INSERT.format(1)))
    assert twin.upgrade()[-1] == "a2"


@pytest.mark.parametrize("error", [AssertionError, AttributeError, KeyError])
def test_a_function_that_picks_steps_may_fail_in_its_own_way(
    engines: EngineFactory, caller: Caller, tmp_path: Path, error: type[Exception]
) -> None:
    """Only what Alembic raises of these kinds is told in a sentence."""
    app = make_app("flask", tmp_path)
    alembic = Alembic(
        app, metadatas=sa.MetaData(), engines=engines(by_id("sqlite-memory-sqlite3"))
    )

    def fail(heads: Any, context: Any) -> Any:
        raise error("mine")

    with pytest.raises(error, match="mine"):
        caller(alembic, "run_migrations", fail)
