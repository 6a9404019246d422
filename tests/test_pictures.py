"""The pictures of the documentation."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from tools.make_pictures import FAULTS
from tools.make_pictures import faults
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


def test_every_fault_of_the_table_is_in_the_picture() -> None:
    page = FAULTS.read_text()
    (number,) = re.findall(r"^There are ([\d,]+) of them\.", page, re.MULTILINE)
    assert f"{sum(sum(found.values()) for _, found in faults()):,}" == number


def test_numbers_come_from_the_results() -> None:
    rows = results_of("process start to nothing to do, 30 revisions")
    assert {row.name for row in rows} > {"async-alembic, blocking", "Flask-Alembic"}
