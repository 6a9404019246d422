"""The inventories for links to the documentation of others."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

INVENTORIES = Path(__file__).parents[1] / "docs/inventories"


def entries() -> Iterator[tuple[str, str, str]]:
    """The name of each object, its type, and its page."""
    for path in sorted(INVENTORIES.glob("*.inv")):
        head, _, _, *lines = path.read_text().splitlines()
        assert head == "# Sphinx inventory version 1"
        assert lines == sorted(set(lines))

        for line in lines:
            name, kind, page = line.split()
            yield name, kind, page


@pytest.mark.parametrize(
    "name, kind, page", [*entries()], ids=[name for name, _, _ in entries()]
)
def test_each_name_exists_in_what_is_installed(name: str, kind: str, page: str) -> None:
    """Or the link leads to a page that has lost it."""
    found = pkgutil.resolve_name(name)
    assert isinstance(found, type) == (kind == "class") or kind == "data"
    assert page.endswith((".html", "/"))
