"""The packages whose users move to this one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from .conftest import require


def require_peer(package: str) -> Path:
    """Return the folder of a package. Without it, the test is skipped, or fails on CI.

    :param package: The name to import.
    """
    spec = find_spec(package)
    require(None if spec else f"{package} is not installed")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def template_of(package: str, name: str) -> Path:
    """Return the path of a template for revisions that a package has.

    :param package: The name to import.
    :param name: The folder of the template.
    """
    return require_peer(package) / "templates" / name / "script.py.mako"
