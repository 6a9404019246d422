"""Whether the models are what the migrations make."""

from __future__ import annotations

import collections.abc as c
import textwrap
import typing as t

from alembic.autogenerate import render_python_code

from ...commands.compare import describe
from .failures import CheckFailedError

if t.TYPE_CHECKING:
    from alembic.operations import MigrationScript
    from alembic.operations.ops import UpgradeOps


def match_migrations(script: MigrationScript) -> None:
    """Check that there is nothing to migrate.

    :param script: What a new revision would have.
    :raises CheckFailedError: If that is something.
    """
    lists = [ops for ops in script.upgrade_ops_list if not ops.is_empty()]
    several = len(script.upgrade_ops_list) > 1

    if lists:
        raise CheckFailedError(
            "The models differ from what the migrations make. Run 'db revision' to"
            " write the one that is missing.",
            [line for ops in lists for line in _lines(ops, several)],
        )


def _lines(ops: UpgradeOps, several: bool) -> c.Iterator[str]:
    if several:
        yield f"Database '{ops.upgrade_token.rpartition('_')[0]}':"

    yield from describe(ops.as_diffs())
    yield ""
    yield from textwrap.dedent(render_python_code(ops)).strip().splitlines()
