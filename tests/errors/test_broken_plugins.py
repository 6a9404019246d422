"""A plugin of another package, which Alembic loads whatever is done with it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("alembic.runtime.plugins") is None,
    reason="Plugins are new in Alembic 1.18.",
)

#: Runs one call twice, as a failed import leaves half of a package behind.
CALL = """
import sys
import sqlalchemy as sa
from flask import Flask
from async_alembic import SyncAlembic
from async_alembic.errors import ConfigurationError

app = Flask("shop", root_path=sys.argv[1])
alembic = SyncAlembic(
    app, metadatas=sa.MetaData(), engines=sa.create_engine("sqlite://"), run_mkdir=False
)

for _ in range(2):
    try:
        {call}
    except ConfigurationError as e:
        print(e)
"""
#: Each begins another way into Alembic.
CALLS = [
    "alembic.mkdir()",
    "alembic.revision('one')",
    "alembic.upgrade()",
    "alembic.op",
]
#: Those that share it.
MORE_CALLS = [
    "alembic.revision('one', empty=True)",
    "alembic.compare_metadata()",
    "alembic.downgrade('base')",
    "alembic.stamp()",
    "alembic.log()",
    "alembic.run(print)",
    "alembic.config",
    "alembic.script",
    "alembic.context",
    "alembic.env",
]
REVISION = """
revision = "a1"
down_revision = None

def upgrade():
    pass

def downgrade():
    pass
"""
SENTENCE = (
    "Alembic's plugin 'colours' of the package 'shop-colours' cannot be loaded: {}."
    " Repair, upgrade or uninstall the package."
)


def install(site: Path, module: str | None) -> None:
    """Make a package with a plugin.

    :param module: The code of the plugin, if there is a module.
    """
    info = site / "shop_colours-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-colours\n")
    (info / "entry_points.txt").write_text("[alembic.plugins]\ncolours = colours\n")

    if module is not None:
        (site / "colours.py").write_text(module)


def run(root: Path, call: str) -> list[str]:
    folder = root / "migrations"
    folder.mkdir()
    (folder / "a1.py").write_text(REVISION)
    (folder / "script.py.mako").write_text("")
    # Found like an installed package, beside those that are.
    code = f"import sys; sys.path.append({str(root / 'site')!r})\n{CALL}"
    result = subprocess.run(
        [sys.executable, "-c", code.replace("{call}", call), root],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    "call",
    [*CALLS, *(pytest.param(call, marks=pytest.mark.full) for call in MORE_CALLS)],
)
def test_the_error_names_it(call: str, tmp_path: Path) -> None:
    install(tmp_path / "site", None)
    expected = SENTENCE.format("ModuleNotFoundError: No module named 'colours'")
    assert run(tmp_path, call) == [expected] * 2


@pytest.mark.parametrize(
    ("module", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def setup(plugin):\n    raise KeyError('red')", "KeyError: 'red'"),
    ],
)
def test_it_can_fail_at_any_time(module: str, error: str, tmp_path: Path) -> None:
    install(tmp_path / "site", module)
    assert run(tmp_path, "alembic.upgrade()") == [SENTENCE.format(error)] * 2


def test_one_that_works_is_no_obstacle(tmp_path: Path) -> None:
    install(tmp_path / "site", "def setup(plugin):\n    print('set up')")
    assert run(tmp_path, "alembic.upgrade()") == ["set up"]
