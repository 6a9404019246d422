"""``docs/reference/errors.md`` says what each error carries."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path

import pytest

import async_alembic
from async_alembic import AsyncAlembicError

PAGE = (Path(__file__).parents[1] / "docs/reference/errors.md").read_text()
#: The name of each error, and what is said of it.
SAID = re.findall(r"^\{exc\}`~async_alembic\.(\w+)`\n: ((?:.+\n)+)", PAGE, re.MULTILINE)
ERRORS = [
    value
    for name in async_alembic.__all__
    if isinstance(value := getattr(async_alembic, name), type)
    and issubclass(value, AsyncAlembicError)
    and value is not AsyncAlembicError
]


def attributes_of(error: type[AsyncAlembicError]) -> set[str]:
    """The public attributes that the class itself or its base sets."""
    found: set[str] = set()

    for cls in error.__mro__[: error.__mro__.index(AsyncAlembicError)]:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
        found |= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and not node.attr.startswith("_")
        }

    return found


def test_each_error_is_explained() -> None:
    assert sorted(name for name, _ in SAID) == sorted(e.__name__ for e in ERRORS)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_its_attributes_are_named(error: type[AsyncAlembicError]) -> None:
    said = " ".join(dict(SAID)[error.__name__].split())
    cause, _, named = said.partition(" Attributes: ")
    documented = re.findall(r":ivar (\w+):", inspect.getdoc(error) or "")
    assert cause and re.findall(r"`(\w+)`", named) == documented
    assert {*documented} == attributes_of(error)
