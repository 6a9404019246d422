"""The commands with ``--tenants`` and ``--tenant``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic import Alembic

from ..backends import by_id
from ..backends import on
from ..harness import Caller
from ..harness import create_table
from ..harness import write_revision
from ..tenant_sites import NAMES
from ..tenant_sites import on_each_database
from ..tenant_sites import on_one
from ..tenant_sites import on_schemas
from ..tenant_sites import Site
from ..tenant_sites import site as site
from .project import invoke
from .test_json import VALIDATOR


@on([by_id("mariadb-pymysql")])
def test_the_command_resumes_tenants(site: Site, caller: Caller) -> None:
    caller.collect(site.alembic, "upgrade_tenants")
    create = create_table("one") + "\n" + create_table("two")
    write_revision(site.folder, "c3", "b2", create)
    site.execute("acme", "CREATE TABLE two (id INTEGER)")
    upgrade = "db", "upgrade", "--tenants"
    assert invoke(site.app, *upgrade).exit_code == 1
    site.execute("acme", "DROP TABLE two")
    assert "'db upgrade --resume'" in invoke(site.app, *upgrade).output
    result = invoke(site.app, *upgrade, "--resume")
    assert result.exit_code == 0
    assert "[acme] applied 1 revision" in result.output


@on_each_database
def test_the_command_line(site: Site) -> None:
    result = invoke(site.app, "db", "upgrade", "a1", "--tenants", "acme", "globex")
    assert result.exit_code == 0, result.output
    assert "[acme] applied 1 revision" in result.output
    assert "2 of 2 tenants are done" in result.output
    site.execute("globex", "CREATE TABLE posts (id INTEGER)")
    result = invoke(site.app, "db", "upgrade", "--tenants", "--jobs", "2")
    assert result.exit_code == 1
    assert "3 of 4 tenants are done" in result.output
    assert "[globex] The upgrade of database 'globex' failed" in result.output
    assert invoke(site.app, "db", "status", "--tenants").exit_code == 3
    current = invoke(site.app, "db", "current", "--tenants", "acme").output
    assert current.startswith("[acme] b2")
    output = invoke(site.app, "db", "heads", "--tenant", "acme").output
    assert output.startswith("a1 -> b2 (head)")


@on([by_id("sqlite-sqlite3")])
def test_what_has_failed_is_run_again_alone(site: Site, tmp_path: Path) -> None:
    invoke(site.app, "db", "upgrade", "a1", "--tenants")
    site.execute("globex", "CREATE TABLE posts (id INTEGER)")
    result = invoke(site.app, "db", "upgrade", "--tenants", "--json")
    document = json.loads(result.output)
    VALIDATOR.validate(document)
    assert [r["tenant"] for r in document["result"]["tenants"] if r["error"]] == [
        "globex"
    ]
    file = tmp_path / "run.json"
    file.write_text(result.output)
    site.execute("globex", "DROP TABLE posts")
    again = invoke(site.app, "db", "upgrade", "--failed-of", str(file))
    assert "1 of 1 tenants are done" in again.output
    file.write_text("{}")
    again = invoke(site.app, "db", "upgrade", "--failed-of", str(file))
    assert "is not what a command" in again.output


@on([by_id("sqlite-sqlite3")])
@pytest.mark.parametrize(
    "command", ["plan", "upgrade", "stamp", "status", "current", "check", "downgrade"]
)
def test_what_is_printed_as_json(site: Site, command: str) -> None:
    result = invoke(site.app, "db", command, "--tenants", "--json")
    document = json.loads(result.output)
    VALIDATOR.validate(document)
    assert len(document["result"]["tenants"]) == len(NAMES)


@on_one
@pytest.mark.parametrize(
    "command, summary",
    [
        ("plan a1", "4 of 4 tenants are planned, 4 of them with revisions to apply."),
        ("upgrade a1", "4 of 4 tenants are done, 4 of them listed above."),
        ("stamp base", "4 of 4 tenants are stamped."),
        ("status", "4 of 4 tenants are shown."),
        ("current", "4 of 4 tenants are shown."),
        ("check", "4 of 4 tenants are checked, 4 of them with differences."),
        ("downgrade base", "4 of 4 tenants are done."),
    ],
)
def test_the_summary_says_what_a_command_does(
    site: Site, command: str, summary: str
) -> None:
    sa.Table("users", site.metadata, sa.Column("id", sa.Integer, primary_key=True))
    result = invoke(site.app, "db", *command.split(), "--tenants")
    assert result.output.splitlines()[-1] == summary


@on_one
def test_a_summary_counts_failures(site: Site) -> None:
    site.urls["initech"] = sa.make_url("nonsense://")
    output = invoke(site.app, "db", "status", "--tenants").output
    assert output.splitlines()[-1] == "3 of 4 tenants are shown; 1 failed."


@on([by_id("postgresql-psycopg2")])
def test_an_app_may_have_no_tenants_yet(site: Site) -> None:
    site.names.clear()
    result = invoke(site.app, "db", "upgrade", "--tenants")
    assert (result.exit_code, result.output) == (0, "The app has no tenants.\n")


@on_one
def test_nothing_is_run_again_where_nothing_failed(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text(invoke(site.app, "db", "upgrade", "--tenants", "--json").output)
    again = "db", "upgrade", "--failed-of", str(file)
    assert invoke(site.app, *again).output == "No tenant failed in that output.\n"
    document = json.loads(invoke(site.app, *again, "--json").output)
    VALIDATOR.validate(document)
    assert document["result"] == {"tenants": []}


@on_one
@pytest.mark.parametrize(
    "args, message",
    [
        ("upgrade --tenants --sql", "'--sql' is for one tenant"),
        ("downgrade --tenants --sql", "'--sql' is for one tenant"),
        ("stamp --tenants --sql", "'--sql' is for one tenant"),
        ("status --tenants --tenant acme", "one of '--tenants' and '--tenant'"),
        ("upgrade --tenants --database x", "one of '--tenants' and '--database'"),
        ("upgrade --tenants a --failed-of {file}", "or '--failed-of FILE', not both"),
        ("upgrade --tenants --jobs 0", "Invalid value for '--jobs'"),
        ("upgrade --tenants --jobs x", "Invalid value for '--jobs'"),
        ("upgrade --jobs 2", "'--jobs' needs '--tenants'"),
    ],
)
def test_options_that_exclude_each_other(
    site: Site, args: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    file.touch()
    result = invoke(site.app, "db", *args.format(file=file).split())
    assert result.exit_code == 2
    assert message in result.output
    assert set(_states(site)) == {"empty"}


@on_one
@pytest.mark.parametrize(
    "args",
    [["--tenants", ""], ["--tenants", "acme", ""], ["--tenants="], ["--tenant", ""]],
)
def test_an_empty_name_does_not_mean_all(site: Site, args: list[str]) -> None:
    """A variable of a script may be empty. Nothing else is upgraded then."""
    result = invoke(site.app, "db", "upgrade", *args)
    assert result.exit_code == 2
    assert "is empty" in result.output
    assert set(_states(site)) == {"empty"}


def _states(site: Site) -> list[str]:
    output = invoke(site.app, "db", "status", "--tenants", "--json").output
    return [
        found["status"]["state"] for found in json.loads(output)["result"]["tenants"]
    ]


@on_schemas
@pytest.mark.parametrize(
    "command",
    [
        *("current", "status", "upgrade", "stamp", "plan", "check", "log -i"),
        *("downgrade", "ensure-version", "drop-all --yes"),
    ],
)
def test_a_tenant_without_a_schema_is_named(site: Site, command: str) -> None:
    site.names.append("hooli")
    result = invoke(site.app, "db", *command.split(), "--tenant", "hooli")
    assert result.exit_code == 1
    assert result.output.startswith("Error: Tenant 'hooli' has no schema")
    assert "create_tenant('hooli')" in result.output


@on_schemas
def test_a_schema_that_does_not_exist_yet_is_waited_for(site: Site) -> None:
    site.names.append("hooli")
    result = invoke(site.app, "db", "wait", "--timeout", "0.2", "--tenant", "hooli")
    assert "'hooli' is empty" in result.output


@on_each_database
def test_the_tables_of_one_tenant_are_dropped(site: Site) -> None:
    invoke(site.app, "db", "upgrade", "--tenants")
    sa.Table("users", site.metadata, sa.Column("id", sa.Integer, primary_key=True))
    result = invoke(site.app, "db", "drop-all", "--tenant", "acme", input="y\n")
    assert "Dropped from database 'acme': users, alembic_version" in result.output
    assert site.version("globex") == "b2"


@on_one
def test_an_error_of_the_apps_function_is_one_sentence(site: Site) -> None:
    def tenants() -> list[str]:
        raise KeyError("TENANTS")

    alembic = Alembic(
        site.app, engines=site.engine, tenants=tenants, command_name="db2"
    )
    assert alembic is not None

    for option in ["--tenants"], ["--tenant", "acme"]:
        result = invoke(site.app, "db2", "upgrade", *option)
        assert result.exit_code == 1
        assert result.output.count("\n") == 1
        assert "<locals>.tenants', which gives the tenants, failed" in result.output
        assert "KeyError: 'TENANTS'" in result.output
