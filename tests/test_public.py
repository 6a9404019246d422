"""The public API: names, signatures, docstrings and the tree of errors."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import async_alembic
import async_alembic.testing
from async_alembic import Alembic
from async_alembic import errors
from async_alembic import SyncAlembic

from .conftest import require

EXAMPLES = Path(__file__).parent / "typing_examples"

#: The public signatures, without annotations.
OF_TENANTS = "only=None, limit=10, keep_going=True, timeout=None)"
SIGNATURES = {
    "__init__": (
        "(self, app=None, *, metadatas=None, engines=None, run_mkdir=True,"
        " command_name='db', tenants=None, tenant_metadatas=None)"
    ),
    "init_app": "(self, app)",
    "rev_id": "(self)",
    "with_options": (
        "(self, *, database=None, directory=None, x_args=None, tenant=None)"
    ),
    "mkdir": "(self)",
    "init": "(self, template=None, package=False, env_py=False)",
    "list_templates": "(self)",
    "current": "(self)",
    "heads": "(self, resolve_dependencies=False)",
    "branches": "(self)",
    "log": "(self, start='base', end='heads')",
    "show": "(self, revisions='heads')",
    "stamp": "(self, target='heads', *, purge=False)",
    "tenant_names": "(self)",
    "create_tenant": "(self, name, *, template=None)",
    "upgrade_tenants": (
        f"(self, target='heads', *, retry=False, resume=False, {OF_TENANTS}"
    ),
    "downgrade_tenants": (
        f"(self, target=-1, *, retry=False, resume=False, {OF_TENANTS}"
    ),
    "stamp_tenants": f"(self, target='heads', *, purge=False, {OF_TENANTS}",
    "status_of_tenants": f"(self, *, {OF_TENANTS}",
    "check_tenants": f"(self, *, {OF_TENANTS}",
    "plan_tenants": f"(self, target='heads', *, {OF_TENANTS}",
    "upgrade": "(self, target='heads', *, retry=False, resume=False)",
    "downgrade": "(self, target=-1, *, retry=False, resume=False)",
    "revision": (
        "(self, message, empty=False, branch='default', parent='head', splice=False,"
        " depend=None, label=None, path=None, rev_id=None, drop=(),"
        " rename=(), against_history=False)"
    ),
    "merge": (
        "(self, revisions='heads', message=None, label=None, splice=False, rev_id=None)"
    ),
    "adopt": "(self)",
    "squash": "(self, base, revision, message=None)",
    "rebase": "(self, revision=None, onto=None)",
    "move_in": "(self, *, write=False)",
    "plan": "(self, target='heads', *, trace=False)",
    "produce_migrations": "(self)",
    "compare_metadata": "(self)",
    "drift": "(self)",
    "unknown_tables": "(self)",
    "possible_renames": "(self)",
    "upgrade_sql": "(self, target='heads', start='base', tag=None)",
    "downgrade_sql": "(self, target, start, tag=None)",
    "stamp_sql": "(self, target='heads', start='base', tag=None)",
    "applied": "(self)",
    "needs_upgrade": "(self)",
    "needs_revision": "(self)",
    "status": "(self, *, details=False)",
    "wait_until_current": "(self, timeout=None, *, allow_ahead=False)",
    "ensure_version": "(self)",
    "drop_all": "(self)",
    "run_migrations": "(self, fn, **kwargs)",
    "run": "(self, fn)",
}
DECORATORS = {
    *("compare_server_default", "compare_type", "include_name", "include_object"),
    *("on_version_apply", "process_revision_directives", "render_item"),
}
SIGNATURES |= dict.fromkeys(DECORATORS, "(self, fn)")
NO_DATABASE = {"__init__", "init_app", "rev_id", "with_options"} | DECORATORS
ITERATED = {name for name in SIGNATURES if name.endswith("_tenants")}
AWAITED = SIGNATURES.keys() - NO_DATABASE - ITERATED
PROPERTIES = {"config", "script", "script_directory", "op", "context"}
BLOCKING_PROPERTIES = PROPERTIES | {
    *("environment_context", "env", "migration_context", "migration_contexts", "ops"),
}


def public(cls: type) -> dict[str, Any]:
    """Return the public attributes of a class and its constructor."""
    return {
        name: inspect.getattr_static(cls, name)
        for name in dir(cls)
        if not name.startswith("_") or name == "__init__"
    }


def methods(cls: type) -> dict[str, Any]:
    return {name: value for name, value in public(cls).items() if callable(value)}


def properties(cls: type) -> set[str]:
    kinds = (property, cached_property)
    return {name for name, value in public(cls).items() if isinstance(value, kinds)}


def bare(function: Any) -> str:
    """Return a signature without annotations."""
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=parameter.empty)
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(parameters))


def test_the_public_names_are_pinned() -> None:
    """Adding or removing a name is a decision, not an accident."""
    assert async_alembic.__all__ == [
        "Adoption",
        "Alembic",
        "AmbiguousRevisionError",
        "AppError",
        "AppliedRevision",
        "AsyncAlembicError",
        "BatchError",
        "BlockingCallError",
        "Change",
        "ConfigurationError",
        "DataLoss",
        "DatabaseConnectionError",
        "DatabaseError",
        "DatabaseStatus",
        "Environment",
        "Finding",
        "ForeignKeyError",
        "FreshDatabaseError",
        "HeadFileError",
        "LockHolder",
        "LockLostError",
        "LockTimeout",
        "LockUnavailableError",
        "MigrationError",
        "MoveIn",
        "MultipleHeadsError",
        "NotUpToDateError",
        "Observed",
        "OfflineError",
        "PartialRevision",
        "PartialRevisionError",
        "Plan",
        "PlanError",
        "PlannedRevision",
        "PlannedStatement",
        "ReadOnlyError",
        "Rebase",
        "ResumeError",
        "RevisionError",
        "RevisionFileError",
        "RevisionIdError",
        "RevisionNotFoundError",
        "ScriptLocationError",
        "Squash",
        "SquashError",
        "SyncAlembic",
        "TenantResult",
        "TableLock",
        "TargetError",
        "UnknownRevisionInDatabaseError",
        "WaitTimeoutError",
        "migration_failed",
        "migrations_finished",
        "migrations_started",
        "migrations_waiting",
        "revision_applied",
        "revision_started",
        "run_env_py",
    ]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (module, name)
        for module in (async_alembic, async_alembic.testing)
        for name in module.__all__
    ],
)
def test_a_public_name_can_be_imported_and_has_a_docstring(
    module: ModuleType, name: str
) -> None:
    value = getattr(module, name)
    assert value.__doc__.strip()
    # The default docstring of a dataclass is its signature.
    assert not value.__doc__.startswith(f"{name}(")


def test_nothing_else_is_in_the_package_but_its_modules() -> None:
    names = {
        name
        for name in dir(async_alembic)
        if not name.startswith("_")
        if not inspect.ismodule(getattr(async_alembic, name))
    }
    assert names == {*async_alembic.__all__}


@pytest.mark.parametrize("cls", [Alembic, SyncAlembic])
def test_the_methods_are_those_that_are_promised(cls: type) -> None:
    found = {name: bare(method) for name, method in methods(cls).items()}
    assert found == SIGNATURES


def test_the_properties_are_those_that_are_promised() -> None:
    assert properties(Alembic) == PROPERTIES | {"sync"}
    assert properties(SyncAlembic) == BLOCKING_PROPERTIES


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_the_twins_have_the_same_signature(name: str) -> None:
    """Including annotations, so that switching classes changes no types."""
    twins = [inspect.signature(getattr(cls, name)) for cls in (Alembic, SyncAlembic)]

    if name in ITERATED:
        twins = [twin.replace(return_annotation=None) for twin in twins]

    assert twins[0] == twins[1]


@pytest.mark.parametrize("name", sorted(AWAITED))
def test_one_twin_is_awaited_and_the_other_is_not(name: str) -> None:
    assert inspect.iscoroutinefunction(getattr(Alembic, name))
    assert not inspect.iscoroutinefunction(getattr(SyncAlembic, name))


@pytest.mark.parametrize("name", sorted(AWAITED))
def test_the_docstring_of_the_blocking_twin_points_to_the_other(name: str) -> None:
    """One description, so that two cannot differ."""
    assert inspect.getdoc(getattr(SyncAlembic, name)) == (
        f"Blocking form of :meth:`Alembic.{name}`."
    )


@pytest.mark.parametrize("name", sorted(SIGNATURES.keys() - {"__init__"}))
def test_the_docstring_tells_about_every_parameter(name: str) -> None:
    method = getattr(Alembic, name)
    doc = inspect.getdoc(method) or ""
    documented = re.findall(r"^:param (\w+):", doc, re.MULTILINE)
    parameters = [*inspect.signature(method).parameters]
    assert documented == parameters[1:]
    assert doc[0].isupper()


def test_the_docstring_of_the_class_tells_about_every_parameter() -> None:
    doc = inspect.getdoc(Alembic) or ""
    documented = re.findall(r"^:param (\w+):", doc, re.MULTILINE)
    assert documented == [*inspect.signature(Alembic).parameters]


@pytest.mark.parametrize(
    ("cls", "name"),
    [(cls, name) for cls in (Alembic, SyncAlembic) for name in sorted(properties(cls))],
)
def test_a_property_has_a_docstring(cls: type, name: str) -> None:
    assert inspect.getdoc(inspect.getattr_static(cls, name))


def test_the_tree_of_errors_is_the_one_that_is_shown() -> None:
    doc = errors.__doc__ or ""
    parents: list[str] = []
    shown: dict[str, str] = {}

    line = re.compile(r"^    ([ │├└─]*)(\w+(?:Error|Timeout))\b", re.MULTILINE)

    for indent, name in line.findall(doc):
        depth = len(indent) // 4
        parents[depth:] = [name]
        shown[name] = parents[depth - 1] if depth else "RuntimeError"

    assert shown == {
        cls.__name__: cls.__bases__[0].__name__ for cls in _error_classes()
    }


def test_every_error_is_public() -> None:
    assert {cls.__name__ for cls in _error_classes()} <= {*async_alembic.__all__}


def _error_classes() -> Iterator[type]:
    for _, cls in inspect.getmembers(errors, inspect.isclass):
        if cls.__module__.startswith(f"{errors.__name__}."):
            yield cls


def test_the_package_is_marked_as_typed() -> None:
    assert (Path(async_alembic.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_a_users_code_is_typed(path: Path) -> None:
    """Expected errors are marked with ``type: ignore``. mypy reports unused marks."""
    try:
        import mypy  # noqa: F401
    except ImportError:
        require("'mypy' is not installed.")

    source = str(Path(async_alembic.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(path)],
        cwd=EXAMPLES.parents[1],
        env={**os.environ, "MYPYPATH": source},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_commands_are_what_the_package_says() -> None:
    from async_alembic import commands

    assert commands.migrate.downgrade is not None

    with pytest.raises(AttributeError, match="nothing"):
        commands.nothing  # noqa: B018
