"""``docs/reference/testing.md`` has each fixture and option of the plugin of pytest."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import async_alembic.testing

ROOT = Path(__file__).parents[1]
PLUGIN = Path(async_alembic.testing.__file__).with_name("plugin.py")


def test_each_fixture_and_option_has_a_row() -> None:
    page = (ROOT / "docs/reference/testing.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)`", page, re.MULTILINE)
    source = PLUGIN.read_text()
    fixtures = {
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
        and any("fixture" in ast.unparse(d) for d in node.decorator_list)
    }
    options = re.findall(r"add(?:option|ini)\(\s*\"([\w-]+)\"", source)
    assert len(fixtures) > 9 and len(options) > 1
    assert {*rows} == fixtures | {*options}
