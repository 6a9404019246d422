"""What packages that extend Alembic find here of its command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.operations import MigrateOperation

from async_alembic import ConfigurationError
from async_alembic.autogenerate.differences import describe

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..generating import table
from ..harness import Caller
from ..harness import ONE_OF_EACH_KIND
from ..projects import Project

plugins: Any = pytest.importorskip("alembic.runtime.plugins")
#: The name of the plugin of these tests, after Alembic's own.
LISTED = ["alembic.autogenerate.*", "ecosystem.plugin"]


class BareOp(MigrateOperation):
    """As those of alembic-dddl, it has no tuple."""

    def reverse(self) -> MigrateOperation:
        return self


@renderers.dispatch_for(BareOp)
def _render(context: Any, operation: BareOp) -> str:
    return "op.execute('SELECT 1')"


@pytest.fixture
def seen() -> Iterator[list[dict[str, Any]]]:
    """What a comparator has seen: Alembic's options, and the parent of the revision."""
    from alembic.util import PriorityDispatchResult

    found: list[dict[str, Any]] = []

    def compare(autogen_context: Any, upgrade_ops: Any) -> Any:
        options = autogen_context.opts
        (script,) = options["revision_context"].generated_revisions
        found.append({**options["template_args"], "head": script.head})
        upgrade_ops.ops.append(BareOp())
        return PriorityDispatchResult.CONTINUE

    plugin = plugins.Plugin("ecosystem.plugin")
    plugin.add_autogenerate_comparator(compare, "autogenerate")
    yield found
    plugin.remove()


@pytest.mark.parametrize("method", ["compare_metadata", "needs_revision", "revision"])
def test_a_plugin_finds_alembics_config_and_the_new_revision(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    seen: list[dict[str, Any]],
    method: str,
) -> None:
    """alembic-dddl takes the config from there, and the parent as a key of a dict."""
    project = Project(tmp_path, engines, context={"autogenerate_plugins": LISTED})
    caller(project.alembic, method, *["one"] * (method == "revision"))
    (found,) = seen
    assert found["config"] is project.alembic.config
    assert isinstance(found["head"], str)


@pytest.mark.parametrize("empty", [True, False])
def test_values_of_the_app_reach_the_template(
    tmp_path: Path, engines: EngineFactory, caller: Caller, empty: bool
) -> None:
    project = Project(
        tmp_path,
        engines,
        metadatas=table(),
        context={"template_args": {"owner": "the shop"}},
    )
    template = project.folder / "script.py.mako"
    template.write_text(f"{template.read_text()}\n# Owner: ${{owner}}\n")
    (script,) = caller(project.alembic, "revision", "one", empty=empty)
    assert "\n# Owner: the shop\n" in Path(script.path).read_text()

    for number in "23":
        caller(
            project.alembic, "revision", number, parent=script, splice=True, empty=True
        )

    merged = caller(project.alembic, "merge", "heads")
    assert "\n# Owner: the shop\n" in Path(merged.path).read_text()


def test_values_for_the_template_are_a_dict(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, context={"template_args": "owner"})

    with pytest.raises(ConfigurationError, match="'template_args'"):
        caller(project.alembic, "revision", "one", empty=True)


@pytest.mark.parametrize("listed", ["alembic.ext.checkconstraint", "x*"])
@pytest.mark.parametrize("method", ["compare_metadata", "needs_revision", "revision"])
def test_a_plugin_that_is_missing_or_malformed_names_the_setting(
    tmp_path: Path, engines: EngineFactory, caller: Caller, listed: str, method: str
) -> None:
    context = {"autogenerate_plugins": ["alembic.autogenerate.*", listed]}
    project = Project(tmp_path, engines, context=context)

    with pytest.raises(ConfigurationError, match="autogenerate_plugins") as caught:
        caller(project.alembic, method, *["one"] * (method == "revision"))

    assert listed in str(caught.value)


def test_an_operation_without_a_tuple_is_a_difference(
    tmp_path: Path, engines: EngineFactory, caller: Caller, seen: list[Any]
) -> None:
    project = Project(tmp_path, engines, context={"autogenerate_plugins": LISTED})
    assert caller(project.alembic, "compare_metadata") == [("Bare",)]
    (script,) = caller(project.alembic, "revision", "one")
    assert [change.description for change in script.changes] == ["Bare"]


_USERS = sa.Table("users", sa.MetaData(), sa.Column("name", sa.Text))


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (("add_table", _USERS), "add table users"),
        (("add_column", None, "users", _USERS.c.name), "add column users.name"),
        (
            [("modify_nullable", None, "users", "name", {}, True, False)],
            "modify nullable users.name",
        ),
        (
            ("replace_or_revert_entity", "PGFunction: f()", "['CREATE\n  FUNCTION']"),
            "replace or revert entity PGFunction: f() ['CREATE FUNCTION']",
        ),
        (("execute", "SELECT 1"), "execute SELECT 1"),
        (("create_enum", "kind", None, ["a"]), "create enum kind None ['a']"),
        (("mark", "here"), "mark here"),
        (("create_thing",), "create thing"),
        (("drop_x_column", "t", "c"), "drop x column t c"),
        (("modify_x", "a"), "modify x a"),
        ((1, None), "1 None"),
    ],
)
def test_a_difference_of_a_plugin_is_described_by_its_own_words(
    difference: Any, text: str
) -> None:
    assert [*describe([difference])] == [text]


@on(ONE_OF_EACH_KIND)
def test_checks_that_only_other_databases_need_are_not_missing(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """Those of booleans and enums, with Alembic's plugin that compares checks. One that
    is really missing is still found.
    """
    pytest.importorskip("alembic.ext.checkconstraint_byname")
    listed = ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"]
    metadata = table(
        "t",
        sa.Column("b", sa.Boolean(create_constraint=True, name="ck_b")),
        sa.Column("e", sa.Enum("x", "y", name="ck_e", create_constraint=True)),
    )
    context = {"autogenerate_plugins": listed}
    project = Project(
        tmp_path, engines, backend=backend, metadatas=metadata, context=context
    )
    caller(project.alembic, "revision", "t")
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "compare_metadata") == []
    metadata.tables["t"].append_constraint(sa.CheckConstraint("id > 0", name="ck_id"))
    ((kind, check),) = caller(project.alembic, "compare_metadata")
    assert (kind, check.name) == ("add_constraint", "ck_id")
