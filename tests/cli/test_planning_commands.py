"""``db plan``: what an upgrade would do."""

from __future__ import annotations

import pytest

from ..backends import by_id
from ..backends import on
from ..harness import write_revision
from .project import on_every_app
from .project import on_one_app
from .project import Project

#: Findings of a linter that may be installed.
LINTED = ("  require-", "  changing-")


@on_every_app
def test_plan_shows_what_an_upgrade_would_do(db: Project) -> None:
    db("upgrade", "b2")
    assert db("plan") == (
        "c3, Revision c3.\n"
        "  creates the table 'tags'\n"
        "    CREATE TABLE tags ( id INTEGER NOT NULL, PRIMARY KEY (id) )\n"
    )
    assert db.tables == {"users", "posts"}
    db("upgrade")
    assert db("plan") == "Nothing to upgrade.\n"


@on_one_app
def test_plan_takes_a_target(db: Project) -> None:
    assert db("plan", "a1").count("creates the table") == 1
    assert db("plan", "+2").count("creates the table") == 2


@on_one_app
def test_plan_prints_sql(db: Project) -> None:
    db("upgrade", "b2")
    assert db("plan", "--sql") == (
        "-- c3, Revision c3.\n"
        "CREATE TABLE tags (\n"
        "\tid INTEGER NOT NULL, \n"
        "\tPRIMARY KEY (id)\n"
        ");\n\n"
    )


@on_every_app
def test_plan_with_check_tells_by_its_exit_code_whether_there_is_work(
    db: Project,
) -> None:
    assert "c3, Revision c3." in db("plan", "--check", fails=2)
    assert "There is no revision" in db("plan", "--check", "x9", fails=1)
    db("upgrade")
    assert db("plan", "--check") == "Nothing to upgrade.\n"


@on_one_app
def test_plan_names_what_is_destructive_and_what_it_does_not_know(db: Project) -> None:
    write_revision(
        db.migrations,
        "d4",
        "c3",
        "op.drop_table('tags')\nop.execute('VACUUM')\nop.get_bind().scalar().x()",
    )
    db("upgrade", "c3")
    assert db("plan").splitlines() == [
        "d4, Revision d4.",
        "  drops the table 'tags'",
        "    DROP TABLE tags",
        "  executes SQL",
        "    VACUUM",
        "    whether it loses data is not known",
        "  Line 12 needs a database; its other statements are known with --trace",
        "  loses-data, line 10: drops the table 'tags' with its rows",
    ]
    assert "-- Line 12 needs a database" in db("plan", "--sql")


@on([by_id("postgresql-psycopg2")])
@pytest.mark.parametrize("framework", ["flask"])
def test_plan_shows_what_a_trace_has_observed(db: Project) -> None:
    write_revision(
        db.migrations,
        "d4",
        "c3",
        "op.execute('ALTER TABLE tags ALTER id TYPE bigint')\n"
        "op.execute(\"DO 'BEGIN RAISE NOTICE ''hello''; END'\")",
    )
    db("upgrade", "c3")
    lines = db("plan", "--trace").splitlines()
    shown = [line for line in lines if not line.startswith(LINTED)]
    assert shown == [
        "d4, Revision d4.",
        "  executes SQL",
        "    ALTER TABLE tags ALTER id TYPE bigint",
        "    whether it loses data is not known",
        "    locks tags: ACCESS EXCLUSIVE",
        "    rewrites tags",
        "    scans tags",
        "  executes SQL",
        "    DO 'BEGIN RAISE NOTICE ''hello''; END'",
        "    whether it loses data is not known",
        "    server: hello",
        "  rewrites-table, line 10: rewrites tags",
    ]


@on([by_id("mariadb-pymysql")])
@pytest.mark.parametrize("framework", ["flask"])
def test_plan_shows_the_algorithm_of_a_trace(db: Project) -> None:
    write_revision(
        db.migrations,
        "d4",
        "c3",
        "op.execute('ALTER TABLE tags ADD a INT')",
    )
    db("upgrade", "c3")
    assert "    algorithm INSTANT" in db("plan", "--trace").splitlines()
