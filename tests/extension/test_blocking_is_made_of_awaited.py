"""The blocking class has every signature of the awaited one, as it is made of it."""

from __future__ import annotations

import ast

import pytest
from tools.make_blocking import FOLDER
from tools.make_blocking import make
from tools.make_blocking import Twin
from tools.make_blocking import TWINS


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.target)
def test_the_blocking_class_is_up_to_date(twin: Twin) -> None:
    """If this fails, run ``make blocking``."""
    made = ast.parse(make(twin))
    assert ast.dump(made) == ast.dump(ast.parse((FOLDER / twin.target).read_text()))
