"""The same calls do the same as with Flask-Alembic."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from flask import Flask

from async_alembic import SyncAlembic

from ..harness import make_app
from ..harness import write_revision
from .drop_in import both
from .drop_in import KINDS
from .drop_in import make_flask
from .drop_in import Model
from .drop_in import state_of


def write_revisions(alembic: Any, count: int) -> None:
    """Write empty revisions: ``1000``, ``1001`` and so on."""
    for number in range(count):
        alembic.revision(f"revision {number}", empty=True)


def invoke(app: Flask, *args: str) -> tuple[int, str]:
    """Run a command; Flask-Alembic's need a context in a test.

    :return: The exit code and what it printed.
    """
    with app.app_context():
        result = app.test_cli_runner().invoke(args=["db", *args])

    return result.exit_code, result.output


@pytest.mark.parametrize("kind", KINDS)
def test_a_day_of_work_ends_the_same(
    kind: str, original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> object:
        seen: list[object] = []
        app, alembic = make_flask(kind, root, extension, Model("age"))

        def see() -> None:
            seen.append(state_of(root))
            seen.append([script.revision for script in alembic.current()])
            seen.append([script.revision for script in alembic.heads()])
            seen.append([script.revision for script in alembic.log()])
            seen.append([script.revision for script in alembic.branches()])
            seen.append(alembic.needs_upgrade())
            seen.append(alembic.needs_revision())
            seen.append([diff[0] for diff in alembic.compare_metadata()])

        with app.app_context():
            see()
            seen += [script.revision for script in alembic.revision("make users")]
            see()
            alembic.upgrade()
            see()
            alembic.revision("second", True)
            alembic.revision("third", empty=True, parent=["1001"], label="named")
            see()
            alembic.upgrade(1)
            seen.append([s.revision for s in alembic.log("current")])
            seen.append([s.revision for s in alembic.log(end="current")])
            seen.append([s.revision for s in alembic.log(alembic.current(), "1002")])
            see()
            alembic.downgrade()
            alembic.upgrade("1002")
            alembic.downgrade(-2)
            see()
            alembic.stamp("heads")
            see()
            alembic.stamp(alembic.script_directory.get_revision("1000"))
            alembic.upgrade(alembic.script_directory.get_revision("1001"))
            alembic.downgrade("base")
            see()
            alembic.revision("other branch", True, "other")
            alembic.revision("other still", True, "other")
            alembic.revision("spliced", True, "other", "1003", True)
            see()
            seen.append([s.revision for s in alembic.heads(True)])
            alembic.revision("depends", True, depend="1001", path="migrations")
            merged = alembic.merge(["1004", "1005"], "join", ["joined"])
            seen.append((merged.revision, sorted(merged.branch_labels)))
            seen.append(alembic.merge().doc)
            alembic.upgrade()
            see()
            operations = alembic.produce_migrations().upgrade_ops
            seen.append(operations.is_empty())

        seen.append({path.name for path in (root / "migrations").glob("*.py")})
        return seen

    both(tmp_path, original, work)


TARGETS = [
    *(("upgrade", target) for target in (1, "1", "+1", 2, "2", "+2", "heads", "head")),
    *(("upgrade", target) for target in ("1002", "1001+1", "100", "default@head", 9)),
    *(("upgrade", target) for target in ("base", "1000", "x9", "current", "")),
    *(("downgrade", target) for target in (-1, "-1", -2, "-2", "base", "1000", "100")),
    *(
        ("downgrade", target)
        for target in ("1001-1", "default@base", "x9", -9, "heads")
    ),
]


@pytest.mark.parametrize(("method", "target"), TARGETS, ids=str)
def test_a_target_means_the_same(
    method: str, target: object, original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> object:
        app, alembic = make_flask("plain", root, extension, Model())

        with app.app_context():
            write_revisions(alembic, 4)

            alembic.upgrade("1001" if method == "upgrade" else "1002")

            try:
                getattr(alembic, method)(target)
            except Exception:
                return "refused", state_of(root)

        return "done", state_of(root)

    both(tmp_path, original, work)


@pytest.mark.parametrize(
    "args",
    [
        ("current",),
        ("current", "-v"),
        ("current", "--check-heads"),
        ("heads",),
        ("heads", "--verbose"),
        ("heads", "--resolve-dependencies"),
        ("branches",),
        ("branches", "-v"),
        ("log",),
        ("log", "-v"),
        ("log", "--start", "1001"),
        ("log", "--start", "current", "--end", "1002"),
        ("show", "1000"),
        ("show", "1001", "1002"),
        ("stamp", "1002"),
        ("mkdir",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("applied", ["base", "1001", "1003"])
def test_a_command_prints_the_same(
    args: tuple[str, ...], applied: str, original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> object:
        app, alembic = make_flask("plain", root, extension, Model())

        with app.app_context():
            write_revisions(alembic, 3)

            alembic.revision("branched", empty=True, parent="1001", splice=True)
            alembic.stamp(applied)

        # As a command finds it: Flask-Alembic knows less of files that it just wrote.
        app, _ = make_flask("plain", root, extension, Model())
        code, output = invoke(app, *args)
        output = output.replace(str(root), "ROOT")
        # The children of a revision are in no order there.
        children = sorted(re.findall(r"(?m)^    -> .*\n", output))
        output = re.sub(r"(?m)^    -> .*\n", "", output) + "".join(children)
        output = re.sub(r"(?m)^ *(Branches into|Create Date): .*$", r"\1", output)
        # Flask-Alembic does not say what it has stamped.
        output = re.sub(r"(?m)^stamp .*\n", "", output)
        # What was a traceback is a sentence now.
        output = output if not code or "Error:" not in output else ""
        return code, output, state_of(root)

    both(tmp_path, original, work)


def test_check_and_check_heads_say_the_same_words(
    extension: type[Any], tmp_path: Path
) -> None:
    """Scripts of users look for them."""
    app, alembic = make_flask("plain", tmp_path, extension, Model())

    code, output = invoke(app, "check")
    assert (code, output.splitlines()[0]) == (1, "Changes detected.")

    with app.app_context():
        alembic.revision("make users")

    expected = (1, "Database is not on all head revisions\n")
    assert invoke(app, "current", "--check-heads") == expected
    assert invoke(app, "upgrade")[0] == 0
    assert invoke(app, "check") == (0, "No changes detected.\n")
    assert invoke(app, "current", "--check-heads")[0] == 0


@pytest.mark.parametrize("args", [("1",), ("-1",), ("-2",), ()])
def test_the_command_line_takes_back_as_many(
    args: tuple[str, ...], original: type[Any], tmp_path: Path
) -> None:
    """A number is negative there, as a minus is hard to give to a command."""

    def work(root: Path, extension: type[Any]) -> object:
        app, alembic = make_flask("plain", root, extension, Model())

        with app.app_context():
            write_revisions(alembic, 3)

            alembic.upgrade()

        end = ("--", *args) if extension is not SyncAlembic else args
        return invoke(app, "downgrade", *end)[0], state_of(root)

    both(tmp_path, original, work)


def test_the_errors_say_the_same_words(extension: type[Any], tmp_path: Path) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "pass 'metadatas' when"),
        ({"metadatas": Model()}, "engines configured"),
        (
            {"metadatas": {"default": Model(), "x": Model()}, "engines": engine},
            "Missing engine config for 'x'",
        ),
    ]

    for number, (arguments, words) in enumerate(cases):
        app = cast("Flask", make_app("flask", tmp_path / str(number)))
        alembic = extension(app, **arguments)

        with app.app_context(), pytest.raises(RuntimeError) as info:
            alembic.current()

        assert words in str(info.value)


@pytest.mark.parametrize("multiple", [False, True], ids=["one", "several"])
def test_run_migrations_calls_the_function_with_the_same(
    multiple: bool, original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> object:
        names = ["default", "other"] if multiple else ["default"]
        app = cast("Flask", make_app("flask", root))
        engines = {
            name: sa.create_engine(f"sqlite:///{root / name}.db", poolclass=sa.NullPool)
            for name in names
        }
        alembic = extension(
            app, metadatas={name: Model() for name in names}, engines=engines
        )
        args = "engine_name, tag" if multiple else "tag"
        write_revision(
            root / "migrations",
            "a1",
            None,
            "op.execute(f'CREATE TABLE {tag} (id INTEGER)')",
            args=args,
        )
        seen: list[object] = []

        def steps(heads: Any, context: MigrationContext) -> Any:
            seen.append((heads, type(context)))
            return alembic.script_directory._upgrade_revs("a1", heads)

        with app.app_context():
            alembic.run_migrations(steps, tag="tagged")
            seen.append([*alembic.migration_contexts])
            seen.append([*alembic.ops])

        for engine in engines.values():
            seen.append(sorted(sa.inspect(engine).get_table_names()))

        return seen

    both(tmp_path, original, work)


def test_the_ids_can_be_made_in_another_way(
    extension: type[Any], tmp_path: Path
) -> None:
    class Overridden(extension):  # type: ignore[misc]
        def rev_id(self) -> str:
            return "overridden"

    app = cast("Flask", make_app("flask", tmp_path))
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)
    alembic: Any = Overridden(app, metadatas=Model(), engines=engine)

    with app.app_context():
        assert alembic.revision("one", empty=True)[0].revision == "overridden"
        alembic.rev_id = lambda: "assigned"
        assert alembic.revision("two", empty=True)[0].revision == "assigned"
