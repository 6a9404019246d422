"""The blocking class has every signature of the awaited one, as it is made of it."""

from __future__ import annotations

import ast

from tools.make_blocking import AWAITED
from tools.make_blocking import BLOCKING
from tools.make_blocking import make


def test_the_blocking_class_is_up_to_date() -> None:
    """If this fails, run ``make blocking``."""
    made = ast.parse(make(AWAITED.read_text()))
    assert ast.dump(made) == ast.dump(ast.parse(BLOCKING.read_text()))
