"""What Alembic's commands ``revision`` and ``check`` put into the environment, where
plugins look for it.
"""

from __future__ import annotations

import typing as t

from alembic.autogenerate import RevisionContext

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from ..apps.project import Project


def make_context(project: Project, **arguments: t.Any) -> RevisionContext:
    """Return the context of a new revision, with the app's ``template_args``.

    :param arguments: The arguments of Alembic's ``command.revision()`` that are not the
        default.
    """
    defaults = {
        "message": None,
        "autogenerate": True,
        "sql": False,
        "head": "head",
        "splice": False,
        "branch_label": None,
        "version_path": None,
        "rev_id": None,
        "depends_on": None,
    }
    context = RevisionContext(
        project.config, project.scripts, {**defaults, **arguments}
    )
    context.template_args.update(project.settings.template_args)
    return context


def pass_on(revision_context: RevisionContext, context: MigrationContext) -> None:
    """Pass the context of a revision to the comparison of a database.

    :param context: Alembic's migration context of the database.
    """
    context.opts["template_args"] = revision_context.template_args
    context.opts["revision_context"] = revision_context
