"""Any history is walked as Alembic walks it."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import SyncAlembic

from ..harness import make_app
from ..harness import write_revision
from ..projects import names


@dataclass(frozen=True)
class Node:
    """A revision of a made-up history, by the numbers of others."""

    parents: tuple[int, ...]
    depends_on: tuple[int, ...]
    labelled: bool


@st.composite
def histories(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []

    for number in range(draw(st.integers(1, 7))):
        size = min(number, 2)
        earlier = st.lists(st.integers(0, number - 1), unique=True, max_size=size)
        parents = draw(earlier) if number else []
        depends_on = draw(earlier) if number else []
        depends_on = [other for other in depends_on if other not in parents]
        labelled = draw(st.booleans())
        nodes.append(Node(tuple(parents), tuple(depends_on), labelled))

    return nodes


def write_history(folder: Path, nodes: list[Node]) -> None:
    def one_or_several(ids: list[str]) -> str | tuple[str, ...] | None:
        return tuple(ids) if len(ids) > 1 else ids[0] if ids else None

    for number, node in enumerate(nodes):
        write_revision(
            folder,
            f"r{number}000",
            one_or_several([f"r{parent}000" for parent in node.parents]),
            labels=[f"label{number}"] if node.labelled else [],
            depends_on=one_or_several(
                [
                    f"label{other}" if nodes[other].labelled else f"r{other}000"
                    for other in node.depends_on
                ]
            ),
        )


ATTRIBUTES = [
    "revision",
    "path",
    "down_revision",
    "dependencies",
    "branch_labels",
    "nextrev",
    "is_head",
    "is_base",
    "is_branch_point",
    "is_merge_point",
    "doc",
    "longdoc",
]


class Reference:
    """Alembic itself, on the same files and a database of its own."""

    def __init__(self, folder: Path) -> None:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.set_main_option("version_locations", str(folder))
        config.set_main_option("path_separator", "os")
        self.config = config
        self.scripts = ScriptDirectory.from_config(config)
        self.engine = sa.create_engine("sqlite://")
        self.connection = self.engine.connect()
        self.connection.exec_driver_sql("CREATE TABLE alembic_version (version_num)")
        self.connection.commit()

    def close(self) -> None:
        self.connection.close()
        self.engine.dispose()

    def migrate(self, plan: str, target: str) -> list[str] | None:
        """The ids of what was run, in order; None if Alembic refuses to."""
        run: list[str] = []

        def steps(heads: Any, context: Any) -> Any:
            for step in getattr(self.scripts, plan)(target, heads):
                yield step
                run.append(step.revision.revision)

        environment = EnvironmentContext(self.config, self.scripts, fn=steps)

        with environment:
            # Else a plan that fails on its way would stay half applied on SQLite.
            environment.configure(connection=self.connection, transactional_ddl=True)

            try:
                with environment.begin_transaction():
                    environment.run_migrations()
            except Exception:
                return None

        return run

    def versions(self) -> set[str]:
        rows = self.connection.exec_driver_sql("SELECT * FROM alembic_version")
        versions = {row[0] for row in rows}
        self.connection.rollback()
        return versions


@settings(max_examples=60, deadline=None)
@given(histories(), st.lists(st.integers(0, 6), max_size=3), st.booleans())
def test_any_history_is_walked_as_alembic_walks_it(
    nodes: list[Node], stops: list[int], up_to_heads: bool
) -> None:
    """With merges, branches, dependencies and labels: the same heads, log, branches
    and plans, and the same rows in the version table after each of them.
    """
    with tempfile.TemporaryDirectory() as root, warnings.catch_warnings():
        # To go down by one from several heads is refused here, where Alembic warns.
        warnings.filterwarnings("error", "downgrade -1 from multiple heads")
        engine = sa.create_engine("sqlite://")
        app = make_app("flask", Path(root))
        alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine).sync
        folder = Path(root, "migrations")
        write_history(folder, nodes)
        reference = Reference(folder)

        try:
            _compare_files(alembic, reference)
            targets = [f"r{stop % len(nodes)}000" for stop in stops]

            for target in [*targets, "+1", *["heads"] * (2 * up_to_heads)]:
                _compare_migrations(alembic, reference, "upgrade", target)
                _compare_status(alembic, reference)

            for target in ["-1", *reversed(targets), "base"]:
                _compare_migrations(alembic, reference, "downgrade", target)
                _compare_status(alembic, reference)
        finally:
            reference.close()
            engine.dispose()


def _compare_files(alembic: SyncAlembic, reference: Reference) -> None:
    scripts = reference.scripts
    assert names(alembic.heads()) == [*scripts.get_heads()]
    assert names(alembic.heads(True)) == names(scripts.get_revisions("heads"))
    assert alembic.script_directory.get_bases() == scripts.get_bases()
    walked = list(scripts.walk_revisions())
    assert names(alembic.log()) == names(walked)
    assert names(alembic.branches()) == names([s for s in walked if s.is_branch_point])
    (state,) = alembic._registry._states.items()
    history = state[1].history(state[0])

    for script in walked:
        _compare_scripts(history.script(script.revision), script)


def _compare_scripts(lazy: Script, script: Script) -> None:
    """What is known of a revision from the headers is what Alembic says of it."""
    for name in ATTRIBUTES:
        assert getattr(lazy, name) == getattr(script, name), name

    assert str(lazy) == str(script)

    # Alembic lists several labels and children in any order.
    if len(lazy.branch_labels) < 2 and len(lazy.nextrev) < 2:
        assert lazy.log_entry == lazy.cmd_format(True) == script.log_entry

        for flags in itertools.product([False, True], repeat=4):
            assert lazy.cmd_format(False, *flags) == script.cmd_format(False, *flags)

    assert isinstance(lazy, Script)
    assert lazy.module.revision == script.revision


def _compare_migrations(
    alembic: SyncAlembic, reference: Reference, method: str, target: str
) -> None:
    expected = reference.migrate(f"_{method}_revs", target)

    try:
        assert names(getattr(alembic, method)(target)) == expected
    except AsyncAlembicError:
        assert expected is None

    assert {s.revision for s in alembic.current()} == reference.versions()


def _compare_status(alembic: SyncAlembic, reference: Reference) -> None:
    heads = tuple(reference.versions())

    try:
        plan = reference.scripts._upgrade_revs("heads", heads)  # type: ignore[arg-type]
    except CommandError:
        # Some histories with dependencies are beyond Alembic.
        with pytest.raises(AsyncAlembicError):
            alembic.status()

        return

    pending = [step.revision.revision for step in plan]
    assert names(alembic.status()["default"].pending) == pending
    assert alembic.needs_upgrade() == bool(pending)
