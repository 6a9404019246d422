"""What ``tenants`` and the arguments of the methods for many tenants may be."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import ConfigurationError
from async_alembic import RevisionError
from async_alembic import RevisionNotFoundError
from async_alembic import TargetError

from ..backends import EngineFactory
from ..harness import Caller
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from ..tenant_sites import by_name
from ..tenant_sites import on_one
from ..tenant_sites import on_schemas
from ..tenant_sites import Site
from ..tenant_sites import site as site

METHODS = [
    *("upgrade_tenants", "downgrade_tenants", "stamp_tenants"),
    *("status_of_tenants", "check_tenants", "plan_tenants"),
]
WITH_TARGET = [*METHODS[:3], "plan_tenants"]


@on_one
def test_what_is_refused(site: Site, caller: Caller) -> None:
    def alembic_with(tenants: Any) -> Alembic:
        return Alembic(
            site.app, metadatas=sa.MetaData(), engines=site.engine, tenants=tenants
        )

    with pytest.raises(TargetError, match="has no tenants"):
        caller.collect(alembic_with(None), "upgrade_tenants")

    with pytest.raises(TargetError, match="must give the names of schemas"):
        caller.collect(alembic_with(lambda: "acme"), "upgrade_tenants")

    with pytest.raises(TargetError, match="must be a text"):
        caller.collect(alembic_with(lambda: [1]), "upgrade_tenants")

    with pytest.raises(ConfigurationError, match="no schemas for tenants"):
        caller(alembic_with(lambda: ["acme"]).with_options(tenant="acme"), "current")

    [result] = caller.collect(alembic_with({"acme": "nonsense"}), "upgrade_tenants")
    assert "The URL of tenant 'acme' is not usable" in str(result.error)

    site.app.config["ALEMBIC_TENANTS"] = {"folder": "x"}

    with pytest.raises(ConfigurationError, match="has no setting 'folder'"):
        caller.collect(site.alembic, "upgrade_tenants")


@on_one
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "arguments, message",
    [
        *(
            ({"limit": value}, f"'limit' must be how many tenants .*, not {value!r}.")
            for value in (0, -1, 2.5, "3", True, None)
        ),
        *(
            ({"timeout": value}, "'timeout' must be a number of seconds, 0 or more")
            for value in (-1, "3", True, float("nan"))
        ),
        *(
            ({"only": value}, "'only' must be a list of names of tenants, or None")
            for value in (5, b"acme", ["acme", 5], [["acme"]])
        ),
    ],
)
def test_arguments_of_another_kind_are_named(
    site: Site, caller: Caller, method: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        getattr(site.alembic, method)(**arguments)

    with pytest.raises(ConfigurationError, match=message):
        caller.collect(site.alembic, method, **arguments)


@on_one
@pytest.mark.parametrize(
    "kind", [str, list, tuple, iter, dict.fromkeys], ids=lambda kind: kind.__name__
)
def test_some_tenants_may_be_named_in_several_ways(
    site: Site, caller: Caller, kind: Callable[[Any], Any]
) -> None:
    only = kind("acme" if kind is str else ["acme", "acme"])
    [result] = caller.collect(site.alembic, "upgrade_tenants", only=only, timeout=0.5)
    assert ids(result.applied) == ["a1", "b2"]


@on_one
@pytest.mark.parametrize(
    "method, target, error",
    [
        *((name, "zz", RevisionNotFoundError) for name in WITH_TARGET),
        *((name, ["b2", "zz@head"], RevisionNotFoundError) for name in WITH_TARGET),
        *((name, [], RevisionError) for name in WITH_TARGET),
        ("upgrade_tenants", "-1", RevisionError),
        ("plan_tenants", -1, RevisionError),
        ("downgrade_tenants", "+1", RevisionError),
        ("stamp_tenants", "+1", RevisionNotFoundError),
    ],
)
def test_a_wrong_target_is_one_error_before_any_tenant_is_connected_to(
    site: Site, caller: Caller, method: str, target: Any, error: type[Exception]
) -> None:
    tenants = {name: "sqlite:////nowhere/x.db" for name in site.names}
    alembic = Alembic(site.app, tenants=tenants)

    with pytest.raises(error):
        caller.collect(alembic, method, target)


@on_one
def test_targets_that_need_a_search_are_found(site: Site, caller: Caller) -> None:
    write_revision(site.folder, "cccc33", "b2", labels=["late"])

    for method, target in [
        *(("upgrade_tenants", target) for target in ("1", "a1+1", "cccc", "late@head")),
        *(("plan_tenants", target) for target in ("head", "late@cccc33", ["late"])),
        *(("downgrade_tenants", target) for target in ("late@-1", "1", "a1", "base")),
        *(("stamp_tenants", target) for target in ("cccc", "late", "head", "base")),
    ]:
        found = caller.collect(site.alembic, method, target)
        assert [result.error for result in found] == [None] * len(site.names)


@on_one
def test_nobody_may_be_named(site: Site, caller: Caller) -> None:
    assert caller.collect(site.alembic, "upgrade_tenants", only=[]) == []


@on_one
def test_all_unknown_names_are_told_with_what_may_be_meant(
    site: Site, caller: Caller
) -> None:
    names = ["acne", "hooli", "globex"]
    message = "There is no tenant 'acne', 'hooli'. Did you mean 'acme'?"

    with pytest.raises(TargetError, match=message):
        caller.collect(site.alembic, "upgrade_tenants", only=names)

    with pytest.raises(TargetError, match="no tenant 'acne'. Did you mean 'acme'?"):
        caller(site.alembic.with_options(tenant="acne"), "current")


@on_one
@pytest.mark.parametrize("name", ["", 5])
def test_one_tenant_needs_a_name(site: Site, caller: Caller, name: Any) -> None:
    """What has no name is what all tenants share."""
    message = f"name must be a text that is not empty, not {name!r}"

    with pytest.raises(TargetError, match=message):
        site.alembic.with_options(tenant=name)

    with pytest.raises(TargetError, match=message):
        caller(site.alembic, "create_tenant", name)


def _fail() -> list[str]:
    raise LookupError("no such setting")


async def _fail_later() -> list[str]:
    raise LookupError("no such setting")


def _fail_midway() -> Iterator[str]:
    yield "acme"
    raise LookupError("no such setting")


class _Source:
    def __call__(self) -> list[str]:
        raise LookupError("no such setting")


def _with_argument(name: str) -> list[str]:
    raise LookupError(f"no such {name}")


@pytest.mark.parametrize(
    "tenants, name",
    [
        *((fail, fail.__name__) for fail in (_fail, _fail_later, _fail_midway)),
        (functools.partial(_with_argument, "setting"), "_with_argument"),
        (_Source(), "_Source"),
    ],
)
@on_one
def test_an_error_of_the_apps_function_names_it(
    site: Site, caller: Caller, tenants: Any, name: str
) -> None:
    alembic = _alembic_with(site, tenants)
    message = (
        rf"The function '.*test_tenant_arguments\.{name}', which gives the tenants,"
        " failed: LookupError: no such setting. Correct it, or what it reads."
    )

    with pytest.raises(TargetError, match=message) as caught:
        caller.collect(alembic, "upgrade_tenants")

    assert isinstance(caught.value.__cause__, LookupError)

    with pytest.raises(TargetError, match=message):
        caller(alembic, "tenant_names")


@on_one
def test_an_error_of_ours_in_the_apps_function_stays_as_it_is(
    site: Site, caller: Caller
) -> None:
    def tenants() -> list[str]:
        raise ConfigurationError("own words")

    with pytest.raises(ConfigurationError, match="^own words$"):
        caller(_alembic_with(site, tenants), "tenant_names")


async def _generate() -> AsyncIterator[str]:
    yield "acme"


@on_one
@pytest.mark.parametrize(
    "given, message",
    [
        (None, "not None."),
        (5, "not 5."),
        (b"acme", "not b'acme'."),
        (_generate(), "not an async generator: return a list."),
        ([["acme"]], r"not \['acme'\]."),
        ([("acme",)], r"not \('acme',\)."),
        ({5: "sqlite://"}, "not 5."),
        ([None], "not None."),
    ],
)
def test_what_the_apps_function_must_not_return(
    site: Site, caller: Caller, given: Any, message: str
) -> None:
    with pytest.raises(TargetError, match=message):
        caller(_alembic_with(site, lambda: given), "tenant_names")


@on_one
@pytest.mark.parametrize("value", [None, 5, "postgresql://host:port/name"])
def test_a_database_that_is_none_is_an_error_of_its_tenant(
    site: Site, caller: Caller, value: Any
) -> None:
    alembic = _alembic_with(site, lambda: {**site.urls, "acme": value})
    found = by_name(caller.collect(alembic, "upgrade_tenants"))
    assert isinstance(found.pop("acme").error, ConfigurationError)
    assert [result.error for result in found.values()] == [None] * 3


@on_one
def test_names_may_be_given_twice(site: Site, caller: Caller) -> None:
    """As a join gives them."""
    alembic = _alembic_with(site, lambda: (name for name in ("b", "a", "b")))
    assert caller(alembic, "tenant_names") == ["b", "a"]


@on_schemas
def test_a_name_that_is_not_that_of_a_schema_is_refused(
    site: Site, caller: Caller
) -> None:
    """In a search path, it is the schema that has the name of the user."""
    site.names.append("$user")

    with pytest.raises(TargetError, match="cannot have the name '\\$user'"):
        caller(site.alembic, "create_tenant", "$user")

    found = by_name(caller.collect(site.alembic, "upgrade_tenants"))
    assert isinstance(found.pop("$user").error, TargetError)
    assert [result.error for result in found.values()] == [None] * 4


@on_schemas
def test_a_name_that_the_server_would_cut_is_refused(
    site: Site, caller: Caller
) -> None:
    """The schema may be that of another tenant."""
    long = "ä" * 32
    site.execute(None, f'CREATE SCHEMA "{long}"')
    site.names.append(long)

    with pytest.raises(TargetError, match="is too long: a schema has at most 63 bytes"):
        caller(site.alembic, "create_tenant", long)

    with pytest.raises(TargetError, match="is too long"):
        caller(site.alembic.with_options(tenant=long), "upgrade")

    found = by_name(caller.collect(site.alembic, "upgrade_tenants"))
    assert isinstance(found[long].error, TargetError)
    assert site.version("acme") == "b2"


def test_a_file_that_cannot_be_opened_is_not_waited_for(
    tmp_path: Any, caller: Caller, engines: EngineFactory
) -> None:
    urls = {name: f"sqlite:///{tmp_path}/none/{name}.db" for name in ("a", "b")}
    alembic = Alembic(make_app("flask", tmp_path), tenants=urls)
    found = caller.collect(alembic, "upgrade_tenants")
    assert [type(result.error).__name__ for result in found] == [
        "DatabaseConnectionError"
    ] * 2
    assert sum(result.seconds for result in found) < 5


def _alembic_with(site: Site, tenants: Any) -> Alembic:
    return Alembic(
        site.app, metadatas=sa.MetaData(), engines=site.engine, tenants=tenants
    )
