"""The SQL script of a history, as ``db upgrade --sql`` prints it."""

from __future__ import annotations

import typing as t

from ...dialects.verbatim import execute_verbatim
from ...errors import first_line
from ...errors import OfflineError
from ...migration.offline import OfflineWriter
from .results import CheckFailedError
from .results import CheckSkippedError
from .results import RevisionFailedError

if t.TYPE_CHECKING:
    import collections.abc as c

    from ...migration.environment import Environment


def generate_sql(env: Environment) -> dict[str, list[str]]:
    """Return the statements of an upgrade from base to the heads, by database name.

    :param env: The databases, for their dialects.
    :raises CheckFailedError: If a revision needs a database.
    :raises CheckSkippedError: If Alembic does not support a script for this dialect.
    """
    return {name: _generate_sql(env, name) for name in env.contexts}


def _generate_sql(env: Environment, name: str) -> list[str]:
    url = env.databases.connections[name].engine.url
    writer = OfflineWriter(env.project, name, url, name == env.default)

    try:
        script = writer.write(
            (),
            lambda heads, context: env.scripts._upgrade_revs("heads", heads),
        )
    except OfflineError as e:
        cause = first_line(e.__cause__ or e)

        if "batch mode" in cause:
            raise CheckSkippedError(cause) from e

        raise RevisionFailedError(
            e.revision,
            f"Revision {e.revision} ({e.path}) cannot be written as SQL because it"
            " needs a database. Check 'context.is_offline_mode()' in it. If you don't"
            " use SQL scripts, deselect this test.",
            [cause],
        ) from e

    return script.statements


def execute_sql(env: Environment, statements: c.Mapping[str, c.Iterable[str]]) -> None:
    """Execute statements as one migration.

    :param env: The databases.
    :param statements: The statements by database name.
    :raises CheckFailedError: If a statement fails.
    """
    from ...commands import migrate

    def execute(env: Environment) -> None:
        for name, listed in statements.items():
            for statement in listed:
                try:
                    execute_verbatim(env.databases.connections[name], statement)
                except Exception as e:
                    raise CheckFailedError(
                        "The SQL script of the history fails, although the revisions"
                        " succeed. Correct what they do in offline mode.",
                        [first_line(e)],
                    ) from e

    migrate.run(env, execute)
