"""``--json``: one document a command, as the documented schema says."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any
from typing import cast

import pytest
from click.testing import CliRunner
from click.testing import Result
from jsonschema import Draft202012Validator

from async_alembic.cli.group import MODULES

from ..harness import write_revision
from .project import on_every_app
from .project import on_one_app
from .project import Project

SCHEMA = json.loads(
    Path(__file__, "../../../docs/reference/output.schema.json").resolve().read_text()
)
VALIDATOR = Draft202012Validator(SCHEMA)
#: Before click 8.2, a runner mixes standard output and standard error by default.
RUNNER_MIXES = "mix_stderr" in inspect.signature(CliRunner).parameters
#: Each command, in an order in which each has something to show.
COMMANDS = {
    "init": ["sql"],
    "mkdir": [],
    "list-templates": [],
    "ensure-version": [],
    "heads": [],
    "log": ["-i"],
    "plan": ["--trace"],
    "upgrade": ["heads"],
    "current": [],
    "downgrade": ["-1"],
    "stamp": ["c3"],
    "wait": [],
    "show": ["a1"],
    "check": [],
    "status": [],
    "rebase": [],
    "revision": ["more", "--empty", "--parent", "b2", "--splice"],
    "branches": [],
    "merge": [],
    "edit": ["a1"],
    "move-in": [],
    "drop-all": ["--yes"],
    "squash": ["base..b2"],
    "adopt": [],
}


def invoke(db: Project, *args: str, input: str | None = None) -> Result:
    """Run a command with a standard error of its own, as every program has."""
    options = {"mix_stderr": False} if RUNNER_MIXES else {}
    runner = cast("Any", db.app).test_cli_runner(**options)
    return cast("Result", runner.invoke(args=["db", *args], input=input))


def document(db: Project, *args: str, fails: int = 0) -> Any:
    """What a command prints to its standard output, checked against the schema."""
    result = invoke(db, *args, "--json")
    assert result.exit_code == fails, result.output
    found = json.loads(result.stdout)
    VALIDATOR.validate(found)
    assert found["command"] == args[0]
    return found.get("result", found.get("error"))


@on_every_app
def test_each_command_prints_one_document(
    db: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schema has a part for each of them."""
    monkeypatch.setenv("VISUAL", "true")
    monkeypatch.chdir(db.root)
    titles = {part["title"] for part in SCHEMA["oneOf"]}
    assert titles == {"An error", *(f"db {name}" for name in MODULES)}
    assert COMMANDS.keys() == MODULES.keys()
    found = {
        name: document(db, name, *args, fails=name == "check")
        for name, args in COMMANDS.items()
    }
    assert [r["id"] for r in found["upgrade"]["revisions"]] == ["a1", "b2", "c3"]
    assert found["current"]["databases"]["default"][0]["parents"] == ["b2"]
    assert found["check"]["differences"]
    assert found["status"]["databases"]["default"]["state"] == "current"
    assert found["branches"]["revisions"][0]["id"] == "b2"
    assert len(found["branches"]["revisions"][0]["children"]) == 2
    assert len(found["merge"]["revisions"][0]["parents"]) == 2


@on_one_app
def test_the_option_may_stand_before_the_command(db: Project) -> None:
    before = invoke(db, "--json", "heads").stdout
    assert before == invoke(db, "heads", "--json").stdout


@on_one_app
def test_who_has_applied_what_is_in_the_document(db: Project) -> None:
    db.app.config["ALEMBIC_AUDIT"] = True
    document(db, "upgrade", "b2")
    found = document(db, "log", "--applied")["applied"]
    assert [row["revision"] for row in found] == ["b2", "a1"]
    assert not found[0]["is_edited"]


@on_one_app
def test_scripts_are_in_the_document(db: Project) -> None:
    for command in "upgrade", "stamp":
        scripts = document(db, command, "--sql")["scripts"]
        assert "alembic_version" in scripts["default"]

    assert document(db, "downgrade", "--sql", "b2:a1")["scripts"]
    assert document(db, "upgrade", "--sql", "heads:heads")["scripts"] == {}
    (path,) = document(db, "upgrade", "--sql", "--output", str(db.root))["files"]
    assert "alembic_version" in Path(path).read_text()


@on_every_app
def test_an_error_is_a_document_too(db: Project) -> None:
    """The sentence is printed to standard error as well."""
    error = document(db, "upgrade", "x9", fails=1)
    assert error["type"] == "RevisionNotFoundError"
    assert "x9" in error["message"]
    write_revision(db.migrations, "d4", "c3", "op.drop_table('none')")
    result = invoke(db, "history", "--json", "-r", "x9:")
    assert json.loads(result.stdout)["command"] == "log"
    assert result.stderr.startswith("Error: ")
    error = document(db, "upgrade", fails=1)
    assert (error["database"], error["revision"]) == ("default", "d4")
    assert (Path(error["path"]).name, error["line"]) == ("d4.py", 10)


@on_one_app
def test_what_a_revision_prints_is_not_part_of_the_document(db: Project) -> None:
    write_revision(db.migrations, "d4", "c3", "print('hello')")
    assert document(db, "plan")
    assert len(document(db, "upgrade")["revisions"]) == 4


@on_one_app
def test_a_wrong_call_prints_no_document(db: Project) -> None:
    """As always, it exits with 2."""
    result = invoke(db, "heads", "--json", "--none")
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.skipif(RUNNER_MIXES, reason="The runner prints questions itself.")
@on_one_app
def test_a_question_does_not_mix_with_the_document(db: Project) -> None:
    document(db, "upgrade")
    result = invoke(db, "drop-all", "--json", input="n\n")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["result"] == {"dropped": {}}
    assert "Drop the tables of database 'default'" in result.stderr
