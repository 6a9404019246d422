"""Commands that write what they would do as SQL, without a connection."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..apps.env_py import check_env_py
from ..errors import RevisionError
from ..errors.from_alembic import converted_errors
from ..history.targets import as_argument
from ..history.targets import to_ids
from ..history.targets import to_names
from ..history.targets import to_steps
from ..migration.offline import OfflineWriter

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.script import Script

    from ..apps.project import Project
    from ..history.targets import StepTarget
    from ..history.targets import Target
    from ..migration.environment import Steps


class Offline(t.NamedTuple):
    """The databases of one call that connects to none.

    :param urls: The URL of each, by its name.
    :param default: The name of the app's default database, which may be another one.
    """

    urls: c.Mapping[str, sa.URL]
    default: str


@converted_errors()
def upgrade_sql(
    project: Project,
    databases: Offline,
    target: StepTarget,
    start: Target,
    tag: str | None,
) -> dict[str, str]:
    ids = to_steps(target, project.scripts.has, 1)
    destination = as_argument(ids)
    return _write(
        project,
        databases,
        start,
        tag,
        # Despite its signature, it accepts several ids.
        lambda heads, context: project.scripts._upgrade_revs(destination, heads),  # type: ignore[arg-type]
    )


@converted_errors()
def downgrade_sql(
    project: Project,
    databases: Offline,
    target: StepTarget,
    start: Target,
    tag: str | None,
) -> dict[str, str]:
    ids = to_steps(target, project.scripts.has, -1)

    if len(ids) > 1:
        raise RevisionError(f"A downgrade takes one target, not {', '.join(ids)}.")

    return _write(
        project,
        databases,
        start,
        tag,
        lambda heads, context: project.scripts._downgrade_revs(ids[0], heads),
    )


@converted_errors()
def stamp_sql(
    project: Project,
    databases: Offline,
    target: Target,
    start: Target,
    tag: str | None,
) -> dict[str, str]:
    ids = to_names(target)
    return _write(
        project,
        databases,
        start,
        tag,
        lambda heads, context: project.scripts._stamp_revs(ids, heads),  # type: ignore[arg-type, return-value]
    )


def _write(
    project: Project, databases: Offline, start: Target, tag: str | None, steps: Steps
) -> dict[str, str]:
    check_env_py(project.settings)
    found: c.Iterable[Script | None] = project.scripts.get_revisions(to_ids(start))
    # The base is None.
    heads = tuple(script.revision for script in found if script is not None)
    return {
        name: OfflineWriter(project, name, url, name == databases.default, tag)
        .write(heads, steps)
        .text
        for name, url in databases.urls.items()
    }
