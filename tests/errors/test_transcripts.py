"""The page of the documentation that shows errors before and after."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .transcripts import Mishap
from .transcripts import MISHAPS
from .transcripts import PAGE
from .transcripts import section
from .transcripts import Site


@pytest.mark.full
@pytest.mark.parametrize(
    ("number", "mishap"), [*enumerate(MISHAPS, 1)], ids=[m.title for m in MISHAPS]
)
def test_the_page_shows_what_is_printed(
    number: int, mishap: Mishap, tmp_path: Path
) -> None:
    outputs = []

    for run in Site.run_alembic, Site.run_ours:
        root = tmp_path / run.__name__
        root.mkdir()
        outputs.append(run(Site(mishap, root)))

    expected = generalize(section(number, mishap, *outputs))
    assert expected in generalize(PAGE.read_text())


def generalize(text: str) -> str:
    """A text without what differs from run to run, or by the version of a library."""
    text = re.sub(r"\b([0-9a-f]{12}|\d{10})_", "<id>_", text)
    text = re.sub(r"\(\d+ lines\)", "(lines)", text)
    return " ".join(re.sub(r"/e/\d+/", "/e/", text).split())
