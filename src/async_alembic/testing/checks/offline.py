"""The SQL script of a history, as Alembic's ``--sql`` prints it."""

from __future__ import annotations

import typing as t

from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.util import CommandError

from ...errors import first_line
from ...migration import op_per_task
from ...migration.engine_name import with_engine_name
from ..servers.catalog import execute_verbatim
from .results import CheckFailedError
from .results import CheckSkippedError
from .results import RevisionFailedError

if t.TYPE_CHECKING:
    import collections.abc as c

    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

    from ...migration.environment import Environment

_TRANSACTION_STATEMENTS = {
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "START TRANSACTION",
    "BEGIN TRANSACTION",
}


class _StatementBuffer:
    """Collects the statements that Alembic writes, one with each call."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def write(self, text: str) -> None:
        lines = text.strip().splitlines()
        statement = "\n".join(line for line in lines if not line.startswith("-- "))

        if statement.strip().rstrip(";").upper() not in {"", *_TRANSACTION_STATEMENTS}:
            self.statements.append(statement.strip())

    def flush(self) -> None: ...


def generate_sql(env: Environment) -> dict[str, list[str]]:
    """Return the statements of an upgrade from base to the heads, by database name.

    :param env: The databases, for their dialects.
    :raises CheckFailedError: If a revision needs a database.
    :raises CheckSkippedError: If Alembic does not support a script for this dialect.
    """
    return {name: _generate_sql(env, name) for name in env.contexts}


def _generate_sql(env: Environment, name: str) -> list[str]:
    buffer = _StatementBuffer()
    started: list[RevisionStep] = []

    def get_steps(heads: t.Any, context: MigrationContext) -> c.Iterator[RevisionStep]:
        for step in env.scripts._upgrade_revs("heads", ()):  # type: ignore[arg-type]
            started.append(step)
            step.migration_fn = with_engine_name(
                step.migration_fn,
                env.project.database_names.of(name),
                name == env.default,
            )
            yield step

    offline = EnvironmentContext(
        env.project.config,
        env.scripts,
        fn=get_steps,
        as_sql=True,
        destination_rev="heads",
    )
    options = env.project.settings.context_options()
    offline.configure(
        dialect_name=env.databases.connections[name].dialect.name,
        # Other styles make the dialect double percent signs or colons.
        dialect_opts={"paramstyle": "named"},
        output_buffer=t.cast("t.TextIO", buffer),
        literal_binds=True,
        **options,
    )

    try:
        with op_per_task.use(offline, Operations(offline.get_context())):
            with offline.begin_transaction():
                offline.run_migrations()
    except Exception as e:
        if isinstance(e, CommandError) and "batch mode" in str(e):
            raise CheckSkippedError(first_line(e)) from e

        script = t.cast("t.Any", started[-1]).revision
        raise RevisionFailedError(
            script.revision,
            f"Revision {script.revision} ({script.path}) cannot be written as SQL"
            " because it needs a database. Check 'context.is_offline_mode()' in it. If"
            " you don't use SQL scripts, deselect this test.",
            [first_line(e)],
        ) from e

    return buffer.statements


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
