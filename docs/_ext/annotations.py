"""Makes links of the names in annotations.

Most of these names are imported for type checkers only, and some are documented under
another name, so Sphinx sees ``Script`` instead of ``alembic.script.Script``.
"""

from __future__ import annotations

import typing as t

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

#: What modules are imported as.
MODULES = {"c": "collections.abc", "dt": "datetime", "sa": "sqlalchemy", "t": "typing"}
#: The documented name of each name.
NAMES = {
    "App": "flask.Flask",
    "AsyncEngine": "sqlalchemy.ext.asyncio.AsyncEngine",
    "BlockingTenantResults": "async_alembic.TenantResult",
    "Config": "alembic.config.Config",
    "EnvironmentContext": "alembic.runtime.environment.EnvironmentContext",
    "MigrationContext": "alembic.runtime.migration.MigrationContext",
    "MigrationScript": "alembic.operations.ops.MigrationScript",
    "Operations": "alembic.operations.Operations",
    "Script": "alembic.script.Script",
    "ScriptDirectory": "alembic.script.ScriptDirectory",
    "TenantResults": "async_alembic.TenantResult",
    "sqlalchemy.URL": "sqlalchemy.engine.URL",
    "sqlalchemy.engine.base.Connection": "sqlalchemy.engine.Connection",
    "sqlalchemy.engine.base.Engine": "sqlalchemy.engine.Engine",
    "sqlalchemy.ext.asyncio.engine.AsyncEngine": "sqlalchemy.ext.asyncio.AsyncEngine",
}
#: Where a type alias is explained: the label of a section.
SECTIONS = {"StepTarget": "targets", "Target": "targets"}
#: Classes that others make, so that nobody needs to know how.
MADE_BY_US = {"Environment", "FreshDatabase"}


def resolve(app: Sphinx, document: nodes.document) -> None:
    """Give a reference to a name in an annotation the target that it means."""
    for node in document.findall(pending_xref):
        name = node.get("reftarget", "")

        if node.get("refdomain") != "py":
            continue

        if name in SECTIONS:
            section = {"reftype": "ref", "reftarget": SECTIONS[name]}
            node.attributes.update(refdomain="std", refexplicit=True, **section)
            # Instead of one text for a resolved reference, and one for another.
            node[:] = [nodes.inline(name, name)]
            continue

        module, _, rest = name.partition(".")
        full = f"{MODULES[module]}.{rest}" if rest and module in MODULES else name
        node["reftarget"] = NAMES.get(full, full)


def leave_out(
    app: Sphinx,
    what: str,
    name: str,
    obj: t.Any,
    options: t.Any,
    signature: str | None,
    returned: str | None,
) -> tuple[str, None] | None:
    """Leave out what an error is made of, and what only we make."""
    is_ours = what == "exception" or name.rpartition(".")[2] in MADE_BY_US
    return ("", None) if is_ours and signature else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("doctree-read", resolve)
    app.connect("autodoc-process-signature", leave_out)
    return {"parallel_read_safe": True}
