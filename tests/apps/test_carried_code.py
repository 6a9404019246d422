"""What is carried over from an ``env.py`` has the value that it has there, or is left
to the user.
"""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic.apps.carried_code import EnvCode
from async_alembic.apps.carried_code import NotCarriedError

NAMES = ["a", "b", "c", "d"]


def carry(text: str, value: str) -> tuple[str, str]:
    """Return the code that a value needs, and its code."""
    code = EnvCode(text, ast.parse(text))
    carried = code.carry(ast.parse(value, mode="eval").body)
    return code.source, carried


def evaluate(text: str, value: str) -> Any:
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    result = eval(value, namespace)
    return result() if callable(result) else result


@st.composite
def files(draw: st.DrawFn) -> str:
    """Files that define, redefine, change and use a few names."""
    lines = ["import math", "from collections import Counter as e"]
    defined: list[str] = []

    def used() -> str:
        return draw(st.sampled_from([*defined, "math.pi", "e"])) if defined else "[]"

    for _ in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from(NAMES))
        known = draw(st.sampled_from(defined)) if defined else None
        kinds = [
            f"{name} = [{draw(st.integers(0, 9))}]",
            f"{name} = [{used()}]",
            f"{name} = lambda: [{used()}]",
            f"def {name}():\n    # a comment\n    return [{used()}]",
            f"def {name}(\n    b=None,\n):\n    return [b]",
            f"if True:\n    {name} = [10]",
            f"class {name}:\n    x = {used()}\n    def __new__(cls): return cls.x",
        ]

        if known is not None:
            kinds += [
                f"getattr({known}, 'append', str)(11)",
                f"hasattr({known}, 'append') and {known}.append(12)",
                f"vars({known}) if callable({known}) else {known}.append(13)",
                f"if isinstance({known}, list):\n    {known}[0] = 14",
                f"if isinstance({known}, list):\n    {known} += [15]",
                f"f = {known}.pop(0) if isinstance({known}, list) and {known} else 0",
            ]

        line = draw(st.sampled_from(kinds))
        lines.append(line)

        if line in kinds[:7] and name not in defined:
            defined.append(name)

    return "\n".join(lines)


@settings(max_examples=100, deadline=None)
@given(files(), st.sampled_from(NAMES))
def test_it_has_the_same_value_or_is_refused(text: str, name: str) -> None:
    try:
        expected = repr(evaluate(text, name))
    except Exception:
        # Alembic could not run it either.
        return

    try:
        source, value = carry(text, name)
    except NotCarriedError:
        return

    if "<" not in expected:
        assert repr(evaluate(source, value)) == expected


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("value = 1", "value = 1"),
        ("import os, re\nvalue = re.compile(os.sep)", None),
        ("from shop import models as m\nvalue = m.NAMES", None),
        ("def value(*args):\n    # Why.\n    return True", None),
        (
            "def run():\n    def value(x):\n        return x\n    configure(value)",
            "def value(x):\n    return x",
        ),
    ],
)
def test_it_is_carried_with_what_it_needs(text: str, source: str | None) -> None:
    if source is None:
        source = text.replace("import os, re\n", "import os\nimport re\n")

    assert carry(text, "value")[0].replace("\n\n\n", "\n") == source


@pytest.mark.parametrize(
    "text",
    [
        "",
        "if x:\n    value = 1",
        "value = 1\nvalue = 2",
        "for value in x: pass",
        "from shop import *",
        "from .models import value",
        "from alembic import context\nvalue = context.config",
        "from flask import current_app\nvalue = current_app.name",
        "value = set()\nvalue.add(1)",
        "value = set()\nfill(value)",
        "value = {}\nvalue['x'] = 1",
        "from shop import value\nvalue.append(1)",
        "value = Rewriter()\n@value.rewrites(x)\ndef f(): ...",
        "def run(name):\n    def value(): return name",
        "def run(type):\n    def value(x): return type",
        "def run():\n    def value(): return name\n    name = 1",
        "value = __file__",
    ],
)
def test_what_depends_on_more_is_refused(text: str) -> None:
    with pytest.raises(NotCarriedError):
        carry(textwrap.dedent(text), "value")
