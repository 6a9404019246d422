"""What an upgrade would do, told without a trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

from async_alembic import RevisionFileError
from async_alembic import RevisionNotFoundError
from async_alembic.plans import Finding
from async_alembic.results import DataLoss

from ..backends import Backend
from ..backends import on
from ..backends import on_all_backends
from ..conftest import require
from ..harness import create_table
from ..harness import ONE_OF_EACH_KIND
from .planning import SiteFactory

SCRIPTS = str(Path(sys.executable).parent)
USERS = create_table(
    "users",
    "sa.Column('id', sa.Integer, primary_key=True)",
    "sa.Column('name', sa.String(50))",
    "sa.Column('age', sa.Integer)",
)


@on_all_backends
def test_a_plan_has_what_is_pending_in_order(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    site.write("a1", None, USERS)
    site.write("b2", "a1", "op.add_column('users', sa.Column('x', sa.Integer))")
    site.write("c3", "b2", "op.create_index('ix_x', 'users', ['x'])")
    site("upgrade", "a1")
    plan = site.plan()
    assert plan.current == ("a1",)
    assert [r.revision for r in plan.revisions] == ["b2", "c3"]
    assert [r.message for r in plan.revisions] == ["Revision b2.", "Revision c3."]
    first, second = (r.statements for r in plan.revisions)
    assert [(s.action, s.line) for s in first] == [("adds the column 'users.x'", 10)]
    assert first[0].sql.startswith("ALTER TABLE users ADD COLUMN x INTEGER")
    assert [s.action for s in second] == ["creates the index 'ix_x' on 'users'"]


@on_all_backends
def test_a_plan_changes_nothing_and_takes_no_lock(
    backend: Backend, site_for: SiteFactory
) -> None:
    """Not even the version table is created."""
    site = site_for(backend)
    site.write("a1", None, USERS)
    assert [r.revision for r in site.plan().revisions] == ["a1"]
    assert site.tables == set()
    site("upgrade")
    assert site.plan().revisions == ()


@on(ONE_OF_EACH_KIND[:1])
def test_a_target_limits_the_plan(backend: Backend, site_for: SiteFactory) -> None:
    site = site_for(backend)
    site.write("a1", None)
    site.write("b2", "a1")
    site.write("c3", "b2")
    assert [r.revision for r in site.plan("b2").revisions] == ["a1", "b2"]
    assert [r.revision for r in site.plan(1).revisions] == ["a1"]

    with pytest.raises(RevisionNotFoundError):
        site.plan("x9")


@on(ONE_OF_EACH_KIND)
def test_what_loses_data_is_found_with_its_line(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    site.write("a1", None, USERS)
    site.write("b2", "a1", "op.execute('SELECT 1')\nop.drop_table('users')")
    site("upgrade", "a1")
    (revision,) = site.plan().revisions
    reason = "drops the table 'users' with its rows"
    assert [s.losses for s in revision.statements] == [
        (DataLoss("executes SQL", is_certain=False),),
        (DataLoss(reason),),
    ]
    assert Finding("loses-data", reason, 11) in revision.findings


@on(ONE_OF_EACH_KIND[2:])
def test_each_statement_of_a_batch_has_its_own_operation(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    site.write("a1", None, USERS)
    site.write(
        "b2",
        "a1",
        """
        with op.batch_alter_table('users') as batch:
            batch.add_column(sa.Column('x', sa.Integer))
            batch.drop_column('age')
        """,
    )
    site("upgrade", "a1")
    (revision,) = site.plan().revisions
    assert [(s.action, bool(s.losses)) for s in revision.statements] == [
        ("adds the column 'users.x'", False),
        ("drops the column 'users.age'", True),
    ]


@on(ONE_OF_EACH_KIND)
def test_a_revision_that_needs_a_database_does_not_end_the_plan(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    site.write("a1", None, USERS)
    site.write("b2", "a1", "op.get_bind().scalar(sa.text('SELECT 1')).bit_length()")
    site.write("c3", "b2", "op.drop_table('users')")
    needing, last = site.plan("c3").revisions[1:]
    assert needing.unknown == "Line 10 needs a database"
    assert last.unknown is None
    assert [s.action for s in last.statements] == ["drops the table 'users'"]


def git(folder: Path, *args: str) -> None:
    who = ("-c", "user.name=Ann Other", "-c", "user.email=ann@example.com")
    subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True)


@on(ONE_OF_EACH_KIND[:1])
def test_git_says_who_has_added_a_revision(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    site.write("a1", None)
    git(site.root, "init")
    git(site.root, "add", ".")
    git(site.root, "commit", "-m", "Add a1", "--date", "2026-01-02T03:04:05Z")
    site.write("b2", "a1")
    committed, new = site.plan().revisions
    assert committed.author == "Ann Other"
    assert committed.date is not None
    assert f"{committed.date:%Y-%m-%d}" == "2026-01-02"
    assert (new.author, new.date) == (None, None)


@on(ONE_OF_EACH_KIND[:1])
def test_a_plan_needs_no_git(
    backend: Backend,
    site_for: SiteFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    site = site_for(backend)
    site.write("a1", None)
    assert [r.author for r in site.plan().revisions] == [None]


@on(ONE_OF_EACH_KIND[:1])
def test_the_date_in_the_file_counts(backend: Backend, site_for: SiteFactory) -> None:
    site = site_for(backend)
    path = site.write("a1", None)
    date = "2026-11-22 09:14:55.992302"
    head = f'"""add done\n\nRevision ID: a1\nCreate Date: {date}\n\n"""\n'
    path.write_text(head + path.read_text().split("\n", 1)[1])
    (revision,) = site.plan().revisions
    assert str(revision.date) == date
    assert revision.message == "add done"


DROP = "op.drop_table('users')"


@on(ONE_OF_EACH_KIND[:1])
def test_a_revision_silences_a_rule_with_a_reason(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    site.write("a1", None, USERS)
    allowance = "# plan: allow loses-data because nobody has used it since 2020"
    site.write("b2", "a1", f"{allowance}\n{DROP}")
    site.write("c3", "b2", "op.drop_table('other')")
    findings = [[f.rule for f in r.findings] for r in site.plan().revisions]
    assert findings == [[], [], ["loses-data"]]


@on(ONE_OF_EACH_KIND[:1])
def test_a_rule_is_not_silenced_without_a_reason(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    path = site.write("a1", None, f"{DROP}  # plan: allow loses-data")

    with pytest.raises(RevisionFileError) as info:
        site.plan()

    assert (info.value.path, info.value.line) == (str(path), 10)
    assert str(info.value).endswith(
        "'# plan: allow loses-data' has no reason. Write '# plan: allow loses-data"
        " because ...'."
    )


@on(ONE_OF_EACH_KIND)
def test_a_linter_adds_its_findings_by_line(
    backend: Backend, site_for: SiteFactory
) -> None:
    """Squawk knows PostgreSQL only."""
    require(None if which("squawk", path=SCRIPTS) else "'squawk' is not installed.")
    site = site_for(backend)
    site.write("a1", None, USERS)
    allowance = "# plan: allow require-lock-timeout because ALEMBIC_SESSION sets one"
    site.write("b2", "a1", f"{allowance}\nop.create_index('ix', 'users', ['name'])")
    site("upgrade", "a1")
    (revision,) = site.plan().revisions
    found = {(finding.rule, finding.line) for finding in revision.findings}

    if backend.database == "postgresql":
        assert ("require-concurrent-index-creation", 11) in found
        assert "require-lock-timeout" not in {rule for rule, _ in found}
    else:
        assert found == set()
