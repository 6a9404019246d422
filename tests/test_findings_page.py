"""The page that lists what was learned about other packages and servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.make_findings_page import FOLDER
from tools.make_findings_page import make
from tools.make_findings_page import PAGE
from tools.make_findings_page import paragraphs


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == make()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.sh")), ids=lambda p: p.stem)
def test_a_finding_names_its_versions(path: Path) -> None:
    first, *_ = paragraphs(path)
    assert any(character.isdigit() for character in first.partition(":")[0])
