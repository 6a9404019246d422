"""``docs/reference/ecosystem.md`` lists what ``make ecosystem`` installs and runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from .ecosystem import packages
from .ecosystem import tools

ROOT = Path(__file__).parents[1]
_row = re.compile(r"^\| ([\w-]+) \| ([\d.]+) \| ([\w, ]+) \|", re.MULTILINE)
#: Stories whose names say more than the package's.
_PACKAGES = {
    "geoalchemy2_postgis": "geoalchemy2",
    "geoalchemy2_spatialite": "geoalchemy2",
}


def listed() -> dict[str, str]:
    text = (ROOT / "docs/reference/ecosystem.md").read_text()
    return {name: version for name, version, _ in _row.findall(text)}


def test_the_versions_are_those_that_are_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    group = project["dependency-groups"]["ecosystem"]
    pinned = [requirement for requirement in group if "==" in requirement]
    installed = dict(re.sub(r"\[\w+\]", "", line).split("==") for line in pinned)
    assert listed() == installed


def test_each_package_is_tried() -> None:
    """By a story of its own, or by name in the tests of tools."""
    stories = {path.stem for path in packages.STORIES.glob("*.py")} - {"__init__"}
    told = {_PACKAGES.get(name, name).replace("_", "-") for name in stories}
    source = Path(tools.__file__).read_text()
    used = {
        name
        for name in listed()
        if f'"{name.removesuffix("-cli")}"' in source
        or f"{name.replace('-', '_')}." in source
    }
    assert told | used == {*listed()}
