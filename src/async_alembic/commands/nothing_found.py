"""Says why a comparison has found nothing, or a table to drop that has a model."""

from __future__ import annotations

import collections.abc as c
import logging
import typing as t

import sqlalchemy as sa
from alembic.operations.ops import DropTableOp

from ..apps.model_files import find_unimported
from ..errors import listed

if t.TYPE_CHECKING:
    from alembic.operations import MigrationScript

    from ..apps.model_files import ModelFile
    from ..migration.environment import Environment

log: logging.Logger = logging.getLogger("async_alembic")


def warn_of_missing_models(
    env: Environment, scripts: c.Collection[MigrationScript]
) -> None:
    """Log that there were no tables to compare, or that tables would be dropped that
    have a model. Only then it is looked up what has not been imported.

    :param env: The environment.
    :param scripts: What was found.
    """
    found = [ops for script in scripts for ops in script.upgrade_ops_list]
    dropped = {
        operation.table_name
        for container in found
        for operation in container.ops
        if isinstance(operation, DropTableOp)
    }

    if dropped:
        files = [file for file in _unimported(env) if dropped & {*file.tables}]
        names = dropped & {name for file in files for name in file.tables}

        if names:
            log.warning(
                "Tables would be dropped that have a model: %s.%s",
                listed(sorted(names)),
                _advice(files),
            )
    elif all(ops.is_empty() for ops in found) and (reason := reason_for_nothing(env)):
        log.warning("%s", reason)


def reason_for_nothing(env: Environment) -> str | None:
    """Return why there was nothing to compare, and what to do, if the models have no
    tables.
    """
    if not _has_no_tables(env):
        return None

    return (
        "The metadata has no tables, so nothing was compared."
        f"{_advice(_unimported(env)) or ' Import the models before this is called.'}"
    )


def warn_of_left_out(left_out: c.Sequence[str]) -> None:
    """Log what of the models was left out of a comparison that has found nothing.

    :param left_out: What a filter of the app has left out.
    """
    if left_out:
        log.warning(
            "'include_object' leaves these parts of the models out: %s.",
            listed(left_out),
        )


def _has_no_tables(env: Environment) -> bool:
    metadatas = [env.metadatas[name] for name in env.names]
    return not any(
        metadata.tables
        for found in metadatas
        for metadata in ([found] if isinstance(found, sa.MetaData) else found)
    )


def _unimported(env: Environment) -> list[ModelFile]:
    settings = env.project.settings
    folders = [settings.script_location, *settings.version_locations]
    found: list[ModelFile] = env.databases.offload(
        lambda: find_unimported(settings.root_path, folders)
    )
    return found


def _advice(files: list[ModelFile]) -> str:
    if not files:
        return ""

    paths = listed([file.path for file in files])
    return (
        f" Nothing has imported {paths}, where tables are defined. Import that where"
        " the app is created."
    )
