"""The SQL that a history is without a database, as Alembic's ``--sql`` prints it."""

from __future__ import annotations

import typing as t

from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.util import CommandError

from ...errors import first_line
from ...migration import op_per_task
from ..servers.objects import execute_as_is
from .failures import CheckFailedError
from .failures import Impossible

if t.TYPE_CHECKING:
    import collections.abc as c

    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

    from ...migration.environment import Environment

_TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "START TRANSACTION", "BEGIN TRANSACTION"}


class _Buffer:
    """Takes one statement with each call, where Alembic would write to a file."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def write(self, text: str) -> None:
        lines = text.strip().splitlines()
        statement = "\n".join(line for line in lines if not line.startswith("-- "))

        if statement.strip().rstrip(";").upper() not in {"", *_TRANSACTION}:
            self.statements.append(statement.strip())

    def flush(self) -> None: ...


def offline_sql(env: Environment) -> dict[str, list[str]]:
    """Get the statements that take empty databases to their heads, by their names.

    :param env: Tells which kinds of databases they are.
    :raises CheckFailedError: If a revision needs a database.
    :raises Impossible: If Alembic cannot do it for this kind of database.
    """
    return {name: _offline_sql(env, name) for name in env.contexts}


def _offline_sql(env: Environment, name: str) -> list[str]:
    buffer = _Buffer()
    running: list[RevisionStep] = []

    def plan(heads: t.Any, context: MigrationContext) -> c.Iterator[RevisionStep]:
        for step in env.scripts._upgrade_revs("heads", ()):  # type: ignore[arg-type]
            running.append(step)
            yield step

    offline = EnvironmentContext(
        env.project.config, env.scripts, fn=plan, as_sql=True, destination_rev="heads"
    )
    options = env.project.settings.context_options()
    offline.configure(
        dialect_name=env.databases.connections[name].dialect.name,
        # Else percent signs and colons would be doubled for a driver.
        dialect_opts={"paramstyle": "named"},
        output_buffer=t.cast("t.TextIO", buffer),
        literal_binds=True,
        **options,
    )

    try:
        with op_per_task.use(offline, Operations(offline.get_context())):
            with offline.begin_transaction():
                # What revisions of several databases are called with.
                several = len(env.contexts) > 1
                offline.run_migrations(**({"engine_name": name} if several else {}))
    except Exception as e:
        if isinstance(e, CommandError) and "batch mode" in str(e):
            raise Impossible(first_line(e)) from e

        script = t.cast("t.Any", running[-1]).revision
        raise CheckFailedError(
            f"Revision {script.revision} ({script.path}) cannot be written as SQL, as"
            " it needs a database. Let it ask 'context.is_offline_mode()', or do"
            " without SQL scripts and deselect this test.",
            [first_line(e)],
        ) from e

    return buffer.statements


def execute_sql(env: Environment, statements: c.Mapping[str, c.Iterable[str]]) -> None:
    """Execute statements as one migration.

    :param env: The databases.
    :param statements: The statements for each, by its name.
    :raises CheckFailedError: If one fails.
    """
    from ...commands import migrate

    def execute(env: Environment) -> None:
        for name, listed in statements.items():
            for statement in listed:
                try:
                    execute_as_is(env.databases.connections[name], statement)
                except Exception as e:
                    raise CheckFailedError(
                        "The SQL script of the history fails, where the revisions do"
                        " not.",
                        [first_line(e)],
                    ) from e

    migrate.run(env, execute)
