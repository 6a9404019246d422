"""What a server says of a failure reaches who reads the error, on every driver."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from async_alembic import MigrationError
from async_alembic import RevisionIdError

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import MARIADB_BACKENDS
from ..backends import on
from ..backends import POSTGRESQL_BACKENDS
from ..backends import SHARED_BACKENDS
from ..harness import Caller
from ..harness import create_table
from ..harness import ids
from ..harness import write_revision
from ..migration.sites import Site

LONG = "0009_agents_have_a_public_channel_of_their_own"
WIDEN = "op.alter_column('alembic_version', 'version_num', type_=sa.String(64))"


def upgrade_fails(site: Site, caller: Caller) -> MigrationError:
    with pytest.raises(MigrationError) as caught:
        caller(site.alembic, "upgrade")

    return caught.value


@on(POSTGRESQL_BACKENDS)
def test_the_detail_says_which_row_is_in_the_way(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history(
        "op.execute('CREATE TABLE people (email text)')\n"
        "op.execute(\"INSERT INTO people VALUES ('ada'), ('ada')\")",
        "op.create_unique_constraint('uq_email', 'people', ['email'])",
    )
    text = str(upgrade_fails(site, caller))
    assert "DETAIL: Key (email)=(ada) is duplicated, in [ALTER TABLE people" in text


@on(POSTGRESQL_BACKENDS)
def test_the_hint_says_what_to_write_instead(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history(
        "op.execute('CREATE TABLE t (a text)')\n"
        "op.execute('ALTER TABLE t ALTER a TYPE integer')"
    )
    text = str(upgrade_fails(site, caller))
    assert 'HINT: You might need to specify "USING a::integer", in [ALTER' in text


@on(POSTGRESQL_BACKENDS)
def test_the_statement_that_a_revision_has_swallowed_is_named(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """The server only says that something has failed before."""
    swallow = "try:\n    op.drop_constraint('gone', 't')\nexcept Exception:\n    pass"
    site = Site(engines(backend), tmp_path)
    site.history(create_table("t"), f"{swallow}\n{create_table('u')}")
    text = str(upgrade_fails(site, caller))
    assert "[ALTER TABLE t DROP CONSTRAINT gone] failed, and the revision went" in text
    assert "'with op.get_bind().begin_nested():'" in text


@on(POSTGRESQL_BACKENDS)
def test_what_failed_in_a_savepoint_is_not_blamed(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    drop = "op.drop_constraint('gone', 't')"
    nested = f"with op.get_bind().begin_nested():\n        {drop}"
    site = Site(engines(backend), tmp_path)
    site.history(
        create_table("t"),
        f"try:\n    {nested}\nexcept Exception:\n    pass\nop.execute('SELECT oops')",
    )
    text = str(upgrade_fails(site, caller))
    assert "oops" in text and "gone" not in text


@on(SHARED_BACKENDS)
def test_the_database_is_where_the_error_says(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history(create_table("t"))
    caller(site.alembic, "upgrade")
    write_revision(site.migrations, "a2", "a1", "pass")
    path = write_revision(site.migrations, "a3", "a2", "{}['colour']")
    error = upgrade_fails(site, caller)
    at = caller.versions(site.engine)
    assert at == (["a2"] if backend.database == "mariadb" else ["a1"])
    assert error.line is not None
    assert path.read_text().splitlines()[error.line - 1].strip() == "{}['colour']"
    assert f"({path}:{error.line}): KeyError: 'colour'. " in str(error)
    as_before = ", as before" if at == ["a1"] else ""
    assert f"rolled back; the database is at {at[0]}{as_before}. " in str(error)


@on(POSTGRESQL_BACKENDS)
@pytest.mark.parametrize("commit", ["op.execute('COMMIT')", "op.get_bind().commit()"])
def test_it_says_so_where_a_revision_has_committed(
    commit: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history(create_table("t"), f"{create_table('u')}\n{commit}", "1 / 0")
    error = upgrade_fails(site, caller)
    [at] = caller.versions(site.engine)
    assert f"What was not committed was rolled back; the database is at {at}." in str(
        error
    )


@on([b for b in SHARED_BACKENDS if b.database != "sqlite"])
def test_an_id_that_does_not_fit_is_refused_before_its_revision_runs(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """The server would refuse it after the revision, which MariaDB had kept."""
    site = Site(engines(backend), tmp_path)
    site.history(create_table("t"))
    caller(site.alembic, "upgrade")
    path = write_revision(site.migrations, LONG, "a1", create_table("u"))

    for method in "upgrade", "stamp":
        with pytest.raises(RevisionIdError) as caught:
            caller(site.alembic, method)

        error = caught.value
        assert (error.revision, error.length) == (LONG, 32)
        assert f"{LONG} ({path}) has 46 characters" in str(error)
        assert "type_=sa.String(46)" in str(error)

    assert "u" not in caller.tables(site.engine)
    assert caller.versions(site.engine) == ["a1"]


@on(SHARED_BACKENDS)
def test_an_id_fits_once_an_earlier_revision_has_widened_the_column(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    widen = WIDEN.replace("))", "), existing_nullable=False)")
    site.history("pass" if backend.database == "sqlite" else widen)
    write_revision(site.migrations, LONG, "a1", create_table("u"))
    assert ids(caller(site.alembic, "upgrade")) == ["a1", LONG]


@on([*POSTGRESQL_BACKENDS, *MARIADB_BACKENDS])
def test_a_version_table_that_refuses_is_told_from_the_revision(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """A trigger stands for a login that may not write into it."""
    site = Site(engines(backend), tmp_path)
    site.history(create_table("t"))
    caller(site.alembic, "upgrade")
    caller.execute(site.engine, *refusing(site.engine))
    path = write_revision(site.migrations, "a2", "a1", "pass")
    write_revision(site.migrations, "a3", "a2", create_table("u"))
    error = upgrade_fails(site, caller)
    assert error.revision == "a2"
    assert f"revision a2 ({path}): its id could not be written into" in str(error)
    assert re.search(r"not for you\W+(CONTEXT.*)?in \[UPDATE ", str(error))
    assert "the database is at a1, as before" in str(error)


def refusing(engine: Any) -> list[str]:
    """The statements that make the version table refuse updates."""
    if engine.url.get_backend_name() == "postgresql":
        body = "BEGIN RAISE EXCEPTION 'not for you'; END"
        return [
            f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $${body}$$",
            "CREATE TRIGGER refuse BEFORE UPDATE ON alembic_version"
            " FOR EACH ROW EXECUTE FUNCTION refuse()",
        ]

    signal = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not for you'"
    return [
        f"CREATE TRIGGER refuse BEFORE UPDATE ON alembic_version FOR EACH ROW {signal}"
    ]
