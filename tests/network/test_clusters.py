"""Galera, whose nodes all take writes, and have no lock that they share."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from ..backends import Backend
from ..backends import by_id
from ..backends import on
from ..racing import RaceZygote
from ..racing import read_journal
from ..racing import REVISIONS
from ..racing import write_history
from ..servers import GaleraCluster
from .sites import ROUNDS
from .sites import url_of

# One set of servers is enough.
pytestmark = pytest.mark.xdist_group("galera")

#: What a conflict of two nodes does not take back: DDL has committed it.
ROWS_BEFORE_DDL = {
    "b2": """
        op.execute("INSERT INTO journal (revision) VALUES ('b2 begins')")
        op.add_column("users", sa.Column("email", sa.String(50)))
        """,
    "b3": """
        op.execute("INSERT INTO journal (revision) VALUES ('b3 begins')")
        op.create_index("ix_users_name", "users", ["name"])
        """,
}


@pytest.mark.full
@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy"), by_id("mariadb-aiomysql")])
def test_three_workers_on_three_nodes_migrate_once(
    backend: Backend, galera: GaleraCluster, zygote: RaceZygote, tmp_path: Path
) -> None:
    write_history(tmp_path, **ROWS_BEFORE_DDL)
    expected = sorted([*REVISIONS, "b2 begins", "b3 begins"])

    for _ in range(ROUNDS):
        name = f"test_{uuid4().hex}"
        galera.nodes[0].create_database(name)
        galera.catch_up()
        first, *others = (
            url_of(backend, node.url(backend.drivername, name)) for node in galera.nodes
        )
        race = zygote.race(tmp_path, first, 3, others=others)
        assert race.errors == []
        assert race.applied == REVISIONS
        galera.catch_up()
        # The nodes count rows differently.
        assert sorted(read_journal(first)) == expected
