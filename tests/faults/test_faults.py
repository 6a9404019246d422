"""Whatever happens to an upgrade, at whatever moment, the database is at a revision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..backends import Backend
from ..backends import DatabaseFactory
from .campaign import strike_everywhere
from .history import write_history
from .kinds import make_kinds
from .matrix import Entry
from .matrix import MATRIX
from .matrix import SAMPLE
from .subject import Subject
from .zygote import FaultZygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[FaultZygote]:
    with FaultZygote() as zygote:
        yield zygote


@pytest.mark.parametrize(
    ("backend", "entry"),
    [
        pytest.param(
            entry.backend,
            entry,
            id=str(entry),
            marks=() if str(entry) in SAMPLE else pytest.mark.full,
        )
        for entry in MATRIX
    ],
    indirect=["backend"],
)
def test_a_fault_at_any_round_trip_leaves_nothing_half_done(
    backend: Backend,
    entry: Entry,
    database_factory: DatabaseFactory,
    zygote: FaultZygote,
    tmp_path: Path,
) -> None:
    write_history(tmp_path / "migrations")
    url = database_factory(backend)
    subject = Subject(backend, url, tmp_path, entry.awaited, entry.options)
    report = strike_everywhere(subject, make_kinds(zygote)[entry.kind])
    assert report.failures == []
