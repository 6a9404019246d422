"""Commands that write what they would do as SQL, without a connection."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..apps.env_py import check_env_py
from ..apps.names import default_name
from ..errors import RevisionError
from ..errors.from_alembic import converted_errors
from ..history.targets import to_ids
from ..history.targets import to_steps
from ..migration.offline import OfflineWriter

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.script import Script

    from ..apps.project import Project
    from ..history.targets import StepTarget
    from ..history.targets import Target
    from ..migration.environment import Steps

    Urls: t.TypeAlias = c.Mapping[str, sa.URL]


@converted_errors()
def upgrade_sql(
    project: Project, urls: Urls, target: StepTarget, start: Target, tag: str | None
) -> dict[str, str]:
    ids = to_steps(target, project.scripts.has, 1)
    destination = ids[0] if len(ids) == 1 else ids
    return _write(
        project,
        urls,
        start,
        tag,
        # Despite its signature, it accepts several ids.
        lambda heads, context: project.scripts._upgrade_revs(destination, heads),  # type: ignore[arg-type]
    )


@converted_errors()
def downgrade_sql(
    project: Project, urls: Urls, target: StepTarget, start: Target, tag: str | None
) -> dict[str, str]:
    ids = to_steps(target, project.scripts.has, -1)

    if len(ids) > 1:
        raise RevisionError(f"A downgrade takes one target, not {', '.join(ids)}.")

    return _write(
        project,
        urls,
        start,
        tag,
        lambda heads, context: project.scripts._downgrade_revs(ids[0], heads),
    )


@converted_errors()
def stamp_sql(
    project: Project, urls: Urls, target: Target, start: Target, tag: str | None
) -> dict[str, str]:
    ids = to_ids(target)
    return _write(
        project,
        urls,
        start,
        tag,
        lambda heads, context: project.scripts._stamp_revs(ids, heads),  # type: ignore[arg-type, return-value]
    )


def _write(
    project: Project, urls: Urls, start: Target, tag: str | None, steps: Steps
) -> dict[str, str]:
    check_env_py(project.settings)
    found: c.Iterable[Script | None] = project.scripts.get_revisions(to_ids(start))
    # The base is None.
    heads = tuple(script.revision for script in found if script is not None)
    default = default_name(urls)
    return {
        name: OfflineWriter(project, name, url, name == default, tag)
        .write(heads, steps)
        .text
        for name, url in urls.items()
    }
