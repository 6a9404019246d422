"""The pictures of the documentation."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from tools.make_pictures import FOLDER
from tools.make_pictures import PICTURES
from tools.make_pictures import results_of


@pytest.mark.parametrize(("name", "draw"), PICTURES.items(), ids=[*PICTURES])
def test_a_picture_is_up_to_date_and_well_formed(
    name: str, draw: Callable[[], str]
) -> None:
    picture = (FOLDER / f"{name}.svg").read_text()
    assert picture == draw()
    root = ElementTree.fromstring(picture)
    assert root.findtext("{*}title")


def test_numbers_come_from_the_results() -> None:
    rows = results_of("process start to nothing to do, 30 revisions")
    assert {row.name for row in rows} > {"async-alembic, blocking", "Flask-Alembic"}
