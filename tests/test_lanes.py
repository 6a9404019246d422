"""The quick lane holds every promise."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from .conftest import COLLECTED
from .lanes import DRIVERS
from .lanes import parameters
from .lanes import quick

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/explanation/promises.md"
INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
markers = full
"""
CASES = """
import pytest
from {package}.harness import *
from {package}.backends import *

@on_all_backends
@on_both_frameworks
@pytest.mark.parametrize("case", ["first", "second"])
def test_everywhere(case, backend, framework, caller): ...

@on(POSTGRESQL_BACKENDS)
def test_postgresql(backend, caller): ...

@on([by_id("mariadb-aiomysql"), by_id("sqlite-memory-sqlite3")])
def test_others(backend): ...

@pytest.mark.parametrize("case", [1, 2, 3])
def test_no_driver(case, caller): ...

@pytest.mark.full
def test_full(): ...
"""
EXPECTED = [
    *(
        f"everywhere[{shell}-first-{framework}-{driver}]"
        for shell in ("awaited", "blocking")
        for framework in ("flask", "quart")
        for driver in ("sqlite-sqlite3", "sqlite-aiosqlite")
    ),
    "everywhere[blocking-first-flask-postgresql-psycopg2]",
    "everywhere[awaited-first-quart-postgresql-asyncpg]",
    "everywhere[blocking-first-flask-mariadb-pymysql]",
    "everywhere[awaited-first-quart-mariadb-asyncmy]",
    "everywhere[blocking-second-flask-sqlite-sqlite3]",
    "everywhere[awaited-second-quart-sqlite-aiosqlite]",
    "everywhere[blocking-second-flask-postgresql-psycopg2]",
    "everywhere[awaited-second-quart-postgresql-asyncpg]",
    "everywhere[blocking-second-flask-mariadb-pymysql]",
    "everywhere[awaited-second-quart-mariadb-asyncmy]",
    "postgresql[awaited-postgresql-psycopg2]",
    "postgresql[blocking-postgresql-psycopg2]",
    "postgresql[awaited-postgresql-asyncpg]",
    "postgresql[blocking-postgresql-asyncpg]",
    "others[mariadb-aiomysql]",
    "others[sqlite-memory-sqlite3]",
    "no_driver[awaited-1]",
    "no_driver[blocking-1]",
    "no_driver[blocking-2]",
    "no_driver[awaited-3]",
]


def promised() -> set[str]:
    """The tests that the page of the promises names."""
    promises, _, _ = PAGE.read_text().partition("## Beside its peers")
    return set(re.findall(r"`((?:\w+/)*test_\w+\.py::[\w:]+)`", promises))


def kinds_of(items: Iterable[pytest.Item]) -> set[tuple[object, ...]]:
    """What tests are run on, each by itself: kinds of drivers, shells, frameworks."""
    kinds: set[tuple[object, ...]] = set()

    for item in items:
        has = parameters(item)
        kinds |= {(name, has[name]) for name in ("caller", "framework") if name in has}

        if driver := has.get("backend"):
            kinds.add((driver.database, driver.is_async))

    return kinds


def test_every_promise_is_held_in_the_quick_lane(
    request: pytest.FixtureRequest,
) -> None:
    """By each of its tests, on one driver of each kind, in both shells, on both
    frameworks: all that the test is run on at all.
    """
    tests: dict[str, list[pytest.Item]] = {}

    for item in request.config.stash[COLLECTED]:
        path = item.path.relative_to(TESTS).as_posix()
        name = item.nodeid.partition("::")[2].partition("[")[0]
        tests.setdefault(f"{path}::{name}", []).append(item)

    # Where some tests are run only, the others are not known.
    for name in promised() & {*tests}:
        items = tests[name]
        assert kinds_of(quick(items)) == kinds_of(items), name


def test_the_lane_has_one_driver_of_each_kind() -> None:
    kinds = [(driver.database, driver.is_async) for driver in DRIVERS]
    assert len({*kinds}) == len(kinds) == 6


def collected(pytester: pytest.Pytester, lane: str) -> list[str]:
    """The names of the tests in ``CASES`` that a lane has."""
    package = __package__
    pytester.syspathinsert(TESTS.parent)
    pytester.makeini(INI)
    pytester.makeconftest(f"from {package}.conftest import *")
    file = pytester.makepyfile(CASES.format(package=package))
    run = pytester.inline_run("--collect-only", f"--lane={lane}", file)
    (call,) = run.getcalls("pytest_collection_modifyitems")
    return [item.nodeid.partition("::test_")[2] for item in call.items]


def test_the_lane_has_every_case_in_the_usual_ways(pytester: pytest.Pytester) -> None:
    """And the first case in all ways, on the first database."""
    assert sorted(collected(pytester, "quick")) == sorted(EXPECTED)


def cases(names: Iterable[str]) -> list[str]:
    """The names of tests without the way in which they run, but for the database."""
    found = [re.sub("awaited-|blocking-|flask-|quart-", "", name) for name in names]
    return [re.sub(r"(sqlite|postgresql|mariadb)-[a-z].*", r"\1]", n) for n in found]


def test_a_lane_has_every_case_once(pytester: pytest.Pytester) -> None:
    names = collected(pytester, "cases")
    assert {*names} < {*EXPECTED}
    databases = "-?(sqlite|postgresql|mariadb)]"
    found = sorted(re.sub(databases, "]", name) for name in cases(names))
    everywhere = ["everywhere[first]", "everywhere[second]"]
    one_case = ["no_driver[1]", "no_driver[2]", "no_driver[3]", "others[]"]
    assert found == [*everywhere, *one_case, "postgresql[]"]


def test_other_versions_have_every_case_on_every_database(
    pytester: pytest.Pytester,
) -> None:
    names = collected(pytester, "versions")
    assert {*names} < {*EXPECTED}
    found = cases(names)
    assert sorted(found) == sorted({*found})
    assert {
        f"everywhere[{case}-{database}]"
        for case in ("first", "second")
        for database in ("sqlite", "postgresql", "mariadb")
    } <= {*found}
    assert {"postgresql[postgresql]", "no_driver[2]", "others[mariadb]"} <= {*found}
    assert any("awaited" in name for name in names)
    assert any("blocking" in name for name in names)
