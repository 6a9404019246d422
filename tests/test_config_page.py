"""``docs/reference/config.md`` has every setting, with its real default."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.runtime.environment import EnvironmentContext
from quart import Quart

from async_alembic import Alembic
from async_alembic.apps.known_settings import _CONTEXT
from async_alembic.apps.known_settings import _OPTIONS
from async_alembic.apps.settings import RESERVED_CONTEXT_KEYS
from async_alembic.apps.settings import set_defaults
from async_alembic.apps.settings import Settings
from async_alembic.apps.tenant_config import _own_settings

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reference/config.md").read_text()
#: How the source reads each setting.
READ: dict[str, Callable[[Settings], Any]] = {
    "ALEMBIC": lambda settings: {},
    "ALEMBIC_AUDIT": lambda settings: settings.audit,
    "ALEMBIC_CODE_VERSION": lambda settings: settings.code_version,
    "ALEMBIC_CONTEXT": lambda settings: {},
    "ALEMBIC_DROP_UNKNOWN_TABLES": lambda settings: settings.drops_unknown_tables,
    "ALEMBIC_IGNORE_ENV_PY": lambda settings: settings.ignores_env_py,
    "ALEMBIC_LOCK": lambda settings: settings.lock,
    "ALEMBIC_LOCK_TIMEOUT": lambda settings: settings.lock_timeout,
    "ALEMBIC_RETRIES": lambda settings: settings.retries,
    "ALEMBIC_SESSION": lambda settings: settings.session("default"),
    "ALEMBIC_TENANTS": lambda settings: {},
}
#: What SQL scripts are written with, which the page says not to set.
DEFAULT = r"`(?P<type>[^`]+)`[\w ]*, default:? `(?P<default>[^`]+)`"
_setting = re.compile(rf"^## `(?P<name>\w+)`\n\n{DEFAULT}$", re.MULTILINE)
_option = re.compile(rf"^`(?P<name>[\w.]+)`\n: {DEFAULT}", re.MULTILINE)


def section(setting: str) -> str:
    """The text about a setting."""
    text = PAGE.partition(f"\n## `{setting}`\n")[2]
    return text.partition("\n## ")[0]


def defaults(pattern: re.Pattern[str], text: str) -> dict[str, Any]:
    """The defaults in a text, by name."""
    matches = pattern.finditer(text)
    return {match["name"]: ast.literal_eval(match["default"]) for match in matches}


def keys_in_source() -> Iterator[str]:
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                # That of Alembic's command is in the environment.
                case ast.Constant(value=str(text)) if re.fullmatch(
                    r"ALEMBIC(?!_CONFIG$)(_[A-Z]+)*", text
                ):
                    yield text


def settings_of(**config: Any) -> Settings:
    app_config: dict[str, Any] = {**config}
    set_defaults(app_config)
    return Settings("", app_config)


def test_each_key_has_a_section_with_its_default() -> None:
    found = defaults(_setting, PAGE)
    assert set(found) == set(keys_in_source()) == set(READ)
    assert found == {key: read(settings_of()) for key, read in READ.items()}
    overview = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\) \|", PAGE, re.MULTILINE)
    assert {key: key.lower() for key in found} == dict(overview)


def test_each_option_of_alembic_is_explained() -> None:
    found = defaults(_option, section("ALEMBIC"))
    assert set(found) == _OPTIONS
    set_here = settings_of().app_config["ALEMBIC"]
    assert {key: found[key] for key in set_here} == set_here


def test_each_argument_of_configure_is_explained() -> None:
    text = section("ALEMBIC_CONTEXT")
    found = defaults(_option, text)
    elsewhere = {*RESERVED_CONTEXT_KEYS, "starting_rev", "tag"}
    assert set(found) == _CONTEXT - elsewhere
    assert elsewhere <= {*re.findall(r"`(\w+)`", text)}
    # These depend on the database.
    by_dialect = {"render_as_batch", "transactional_ddl"}
    ours = settings_of().app_config["ALEMBIC_CONTEXT"]
    assert {key: found[key] for key in ours} == ours
    configure = inspect.signature(EnvironmentContext.configure).parameters

    for key in found.keys() & configure.keys() - ours.keys() - by_dialect:
        assert found[key] == configure[key].default, key


def test_each_setting_of_tenants_is_explained() -> None:
    found = defaults(_option, section("ALEMBIC_TENANTS"))
    assert found == _own_settings({})


EXAMPLES = re.findall(r"```python\n((?:.*\n)*?)```", PAGE)


@pytest.mark.parametrize(
    "code", [code for code in EXAMPLES if re.search(r"^ALEMBIC\w* =", code, re.M)]
)
def test_each_example_is_accepted(code: str) -> None:
    values: dict[str, Any] = {}
    exec(code, values)
    app = Quart(__name__)
    app.config.from_mapping({k: v for k, v in values.items() if k.isupper()})
    Alembic(app, run_mkdir=False)
    settings = settings_of(**app.config)

    for read in READ.values():
        read(settings)

    _own_settings(app.config)
    assert settings.has_session(["default", "reports"]) == (
        "ALEMBIC_SESSION" in app.config
    )
    settings.context_options()
    _ = settings.version_locations
