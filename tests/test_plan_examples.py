"""The plans in ``docs/explanation/plans.md`` are those of real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import require
from .plan_examples import Change
from .plan_examples import CHANGES
from .plan_examples import on_mariadb
from .plan_examples import on_postgresql
from .plan_examples import PAGE
from .plan_examples import said_of
from .plan_examples import SCRIPTS
from .plan_examples import versions
from .servers import MariaDBServer
from .servers import PostgresServer

pytestmark = pytest.mark.full


def titled(change: Change) -> str:
    return change.title


def check_page(server: PostgresServer | MariaDBServer, cells: str) -> None:
    text = PAGE.read_text()

    if versions(server) not in text:
        pytest.skip(f"the page is not about {versions(server)}")

    assert cells in text


@pytest.mark.parametrize("change", CHANGES, ids=titled)
def test_the_page_has_what_postgresql_does(
    change: Change, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    cells = on_postgresql(postgres_server, change, tmp_path / "plan")
    check_page(postgres_server, f"| {change.title} | {' | '.join(cells)} |")


@pytest.mark.parametrize("change", [c for c in CHANGES if c.on_mariadb], ids=titled)
def test_the_page_has_what_mariadb_does(
    change: Change, mariadb_server: MariaDBServer, tmp_path: Path
) -> None:
    cells = on_mariadb(mariadb_server, change, tmp_path / "plan")
    check_page(mariadb_server, f"| {change.title} | {' | '.join(cells)} |")


@pytest.mark.parametrize("change", CHANGES, ids=titled)
def test_the_page_has_what_linters_say(
    change: Change, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    for program in "squawk", "alembic-guard", "lockcheck":
        found = (SCRIPTS / program).exists()
        require(None if found else f"'{program}' is not installed.")

    cells = said_of(postgres_server, change, tmp_path / "plan")
    check_page(postgres_server, f"| {' | '.join(cells)} |")
