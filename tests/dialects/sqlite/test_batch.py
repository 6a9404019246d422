"""A batch change on SQLite loses nothing but what it was asked to."""

from __future__ import annotations

import pytest

from async_alembic import MigrationError
from async_alembic.errors import BatchError

from ...harness import awaited_only
from ...twins import on_sqlite
from ...twins import Twin
from .features import FEATURES
from .shops import ADD
from .shops import batch
from .shops import DROP
from .shops import feature
from .shops import read
from .shops import run
from .shops import SHOP


@on_sqlite
@awaited_only
@pytest.mark.parametrize("name", FEATURES)
def test_a_batch_change_keeps(name: str, enforcing: Twin) -> None:
    """Up and down again, with foreign keys enforced."""
    found, file = FEATURES[name], enforcing.engine.url.database
    enforcing.revision("a1", None, run(*found.ddl))
    enforcing.revision("a2", "a1", ADD, downgrade=DROP)
    enforcing.upgrade("a1")
    before = read(file, found.probes)
    enforcing.upgrade()
    assert read(file, found.probes) == before
    enforcing.downgrade(-1)
    assert read(file, found.probes) == before


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    ("ddl", "change", "sentence"),
    [
        (
            "CREATE VIEW v AS SELECT name FROM shop",
            "drop_column('name')",
            "would break the view 'v': no such column: name. In the revision, drop the"
            " view 'v' before the batch and recreate the view 'v' after it.",
        ),
        (
            "CREATE TRIGGER t AFTER UPDATE OF name ON shop BEGIN SELECT 1; END",
            "drop_column('name')",
            "would break the trigger 't': it names column 'name'",
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON item BEGIN UPDATE shop SET name = 1; END",
            "alter_column('name', new_column_name='title')",
            "would break the triggers of 'item': no such column: name",
        ),
        (
            "CREATE TRIGGER t BEFORE DELETE ON shop BEGIN SELECT old.name; END",
            "alter_column('name', new_column_name='title')",
            "would break the triggers of 'shop': no such column: old.name",
        ),
    ],
)
def test_a_batch_change_refuses_to_break(
    ddl: str, change: str, sentence: str, enforcing: Twin
) -> None:
    """It says what, and leaves the file as it was."""
    first = run(*feature(SHOP, ddl).ddl)
    enforcing.history(first)
    enforcing.upgrade()
    before = enforcing.dump()
    enforcing.history(first, batch(change))

    with pytest.raises(MigrationError) as e:
        enforcing.upgrade()

    assert f"The batch change of table 'shop' {sentence}" in str(e.value)
    assert isinstance(e.value.__cause__, BatchError)
    assert e.value.__cause__.table == "shop"
    assert enforcing.dump() == before
