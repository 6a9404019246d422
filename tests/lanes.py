"""The lanes of the tests: ``quick``, which everybody runs, and ``all``. CI runs
``quick`` and then ``rest``, so that no test runs twice, and on other versions of Python
and of what the package uses ``cases`` and ``versions``.

.. code-block:: console

    $ pytest --lane=quick

Many tests are run in several *ways*: on each driver, awaited and blocking, on both
frameworks. Whatever else their parameters say is a *case*. The quick lane has every
case of every test. Of the ways of each case, it has

- of each kind of database, the one driver that blocks and the one that is async of
  :data:`DRIVERS`. If the case has neither, it has the first driver that the case has;
- SQLite in memory only where the case has no SQLite in a file;
- all other ways on the first database, which is SQLite for most tests;
- on the other databases, only the way in which most apps use a driver: an async one
  awaited and on Quart, one that blocks in blocking calls and on Flask.

The lane ``versions`` has every case of the quick lane on every database that it has
there, in turn in one of its ways. The lane ``cases`` has every case once, in turn in
one of its ways and on one of its databases.

What is marked with ``full`` is in the lane ``all`` only: the campaigns beyond their
sample, and what costs more than it is likely to find.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import pytest

from .backends import Backend
from .backends import by_id

#: One driver of each kind.
DRIVERS = [
    by_id("sqlite-sqlite3"),
    by_id("sqlite-aiosqlite"),
    by_id("postgresql-psycopg2"),
    by_id("postgresql-asyncpg"),
    by_id("mariadb-pymysql"),
    by_id("mariadb-asyncmy"),
]
#: The parameters that say in which way a test is run.
WAYS = {"backend", "caller", "framework", "way"}
#: How most apps use a driver, by whether it is async.
USUAL = {
    False: {"caller": "blocking", "framework": "flask", "way": "blocking"},
    True: {"caller": "awaited", "framework": "quart", "way": "awaited"},
}
DATABASES = ["sqlite", "postgresql", "mariadb"]

Case = tuple[tuple[str, int], ...]
Ways = list[pytest.Item]


def quick(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Those tests that the quick lane has, in the same order."""
    tests: dict[str, dict[Case, Ways]] = {}

    for item in items:
        if item.get_closest_marker("full") is None:
            cases = tests.setdefault(item.nodeid.partition("[")[0], {})
            cases.setdefault(case_of(item), []).append(item)

    chosen: set[pytest.Item] = set()

    for cases in tests.values():
        for number, ways in enumerate(cases.values()):
            chosen.update(choose(ways, number))

    return [item for item in items if item in chosen]


def rest(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Those tests that the quick lane does not have, in the same order."""
    others = {*quick(items)}
    return [item for item in items if item not in others]


def versions(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Those tests that run on other versions, in the same order."""
    return _in_turn(items, lambda backend: backend and backend.database)


def cases(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Each case of the quick lane once, in the same order."""
    return _in_turn(items, lambda backend: None)


def _in_turn(
    items: Sequence[pytest.Item], place: Callable[[Backend | None], object]
) -> list[pytest.Item]:
    """Each case of the quick lane in one of its ways.

    :param place: Returns where a way belongs to. A case has a way for each place.
    """
    ways: dict[tuple[str, Case, object], Ways] = {}

    for item in quick(items):
        key = item.nodeid.partition("[")[0], case_of(item)
        where = place(parameters(item).get("backend"))
        ways.setdefault((*key, where), []).append(item)

    chosen = {of_case[n % len(of_case)] for n, of_case in enumerate(ways.values())}
    return [item for item in items if item in chosen]


def parameters(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec else {}


def case_of(item: pytest.Item) -> Case:
    """What a test has in common with itself in other ways."""
    # By identity: all ways have the same objects, which need not be hashable.
    case = {name: id(value) for name, value in parameters(item).items()}
    return tuple(sorted((name, of) for name, of in case.items() if name not in WAYS))


def choose(ways: Ways, number: int) -> Iterator[pytest.Item]:
    """Of all ways of a case, those that the quick lane has.

    :param number: Which case of its test it is, from 0.
    """
    by_driver: dict[Backend | None, Ways] = {}

    for item in ways:
        by_driver.setdefault(parameters(item).get("backend"), []).append(item)

    drivers = choose_drivers([driver for driver in by_driver if driver is not None])
    first = min([DATABASES.index(driver.database) for driver in drivers], default=0)

    for driver in [*drivers, *({None} & {*by_driver})]:
        is_first = driver is None or DATABASES.index(driver.database) == first
        is_async = number % 2 == 0 if driver is None else driver.is_async

        if number == 0 and is_first:
            yield from by_driver[driver]
        else:
            yield from usual(by_driver[driver], USUAL[is_async])


def choose_drivers(drivers: list[Backend]) -> list[Backend]:
    by_kind: dict[tuple[str, bool], list[Backend]] = {}

    for driver in drivers:
        by_kind.setdefault((driver.database, driver.is_async), []).append(driver)

    return [
        next((driver for driver in DRIVERS if driver in of_kind), of_kind[0])
        for of_kind in by_kind.values()
    ]


def usual(ways: Ways, wanted: dict[str, str]) -> Ways:
    """Those that have most of what is wanted."""

    def agrees(item: pytest.Item) -> int:
        has = parameters(item)
        return sum(has.get(name) == value for name, value in wanted.items())

    most = max(map(agrees, ways))
    return [item for item in ways if agrees(item) == most]


#: What chooses the tests of each lane but ``all``.
LANES: dict[str, Callable[[Sequence[pytest.Item]], list[pytest.Item]]] = {
    "cases": cases,
    "quick": quick,
    "rest": rest,
    "versions": versions,
}
