"""Checks that go along a history, revision by revision, on a real database."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

import sqlalchemy as sa
from alembic.runtime.migration import MigrationStep

from ...commands import migrate
from ...errors import first_line
from .failures import CheckFailedError
from .schemas import differences
from .schemas import Schema
from .schemas import SchemaReader

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ...migration.environment import Environment

#: Rows by the names of their tables, or what is called with a connection.
Rows: t.TypeAlias = (
    c.Mapping[str, c.Sequence[c.Mapping[str, t.Any]]]
    | c.Callable[[sa.Connection], object]
)


@dataclasses.dataclass(frozen=True)
class RevisionData:
    """Rows that a revision meets, and what it must make of them.

    :param before: Rows to insert before it is applied: a list of dicts for each table,
        or a function that is called with a connection.
    :param after: Rows that must be there when it was applied, of which some columns may
        be left out, or a function that is called with a connection.
    :param database: Which of several databases they are in; else the default one.
    """

    before: Rows | None = None
    after: Rows | None = None
    database: str | None = None


def can_go_up_down_and_up(env: Environment) -> None:
    """Apply each revision, take it back and apply it again.

    :param env: An empty database.
    :raises CheckFailedError: If it differs from what it was before, or was then.
    """
    readers = _readers(env)
    below = _read(env, readers)

    for script in _history(env):
        _step(env, script, "upgrade")
        above = _read(env, readers)
        _step(env, script, "downgrade")
        _compare(script, "leaves something else", below, _read(env, readers))
        _step(env, script, "upgrade")
        _compare(script, "makes something else", above, _read(env, readers))
        below = above


def leaves_no_trace(env: Environment, empty: Schema) -> None:
    """Take everything back.

    :param env: A migrated database.
    :param empty: What a database has that nothing was done in.
    :raises CheckFailedError: If there is anything more or less.
    """
    for script in reversed(_history(env)):
        _step(env, script, "downgrade")

    if lines := differences(empty, schema_of(env)):
        raise CheckFailedError(
            "When all revisions were taken back, something is left. Drop it in the"
            " 'downgrade()' of the revision that makes it.",
            lines,
        )


def keeps_data(env: Environment, data: c.Mapping[str, RevisionData]) -> None:
    """Apply each revision to the rows that it may meet.

    :param env: An empty database.
    :param data: The rows, by the ids of revisions.
    :raises CheckFailedError: If rows are not as they must be.
    """
    history = _history(env)
    unknown = data.keys() - {script.revision for script in history}

    if unknown:
        raise CheckFailedError(
            f"There is data for {', '.join(sorted(unknown))}, and no such revision."
            " Correct the id; 'db log' lists the revisions that there are."
        )

    for script in history:
        found = data.get(script.revision, RevisionData())
        name = found.database or env.default

        if name not in env.contexts:
            raise CheckFailedError(
                f"There is no database '{name}' for the data of {script.revision}."
                f" There are {', '.join(map(repr, env.contexts))}."
            )

        connection = env.databases.connections[name]
        _use(connection, script, found.before, _insert)
        _step(env, script, "upgrade")
        _use(connection, script, found.after, _expect)


def _history(env: Environment) -> list[Script]:
    """All revisions, each after those that it needs."""
    newest_first = env.scripts.iterate_revisions("heads", "base")
    return list(newest_first)[::-1]


def schema_of(env: Environment) -> Schema:
    """What the databases have, but the version tables."""
    return _read(env, _readers(env))


def _readers(env: Environment) -> dict[str, SchemaReader]:
    return {
        name: SchemaReader({context.version_table})
        for name, context in env.contexts.items()
    }


def _read(env: Environment, readers: c.Mapping[str, SchemaReader]) -> Schema:
    found: Schema = {}

    for name, reader in readers.items():
        connection = env.databases.connections[name]
        label = f"{name}: " if len(readers) > 1 else ""

        try:
            schema = reader.read(connection)
        finally:
            connection.rollback()

        found |= {f"{label}{item}": text for item, text in schema.items()}

    return found


def _step(env: Environment, script: Script, direction: str) -> None:
    make = getattr(MigrationStep, f"{direction}_from_script")

    try:
        migrate.run_migrations(
            env, lambda heads, context: [make(env.project.scripts.revision_map, script)]
        )
    except Exception as e:
        how = "applied" if direction == "upgrade" else "taken back"
        raise CheckFailedError(
            f"Revision {script.revision} ({script.path}) cannot be {how}. Correct its"
            f" '{direction}()'.",
            [first_line(e)],
        ) from e


def _compare(script: Script, what: str, expected: Schema, found: Schema) -> None:
    if lines := differences(expected, found):
        raise CheckFailedError(
            f"Revision {script.revision} ({script.path}) {what} after it was taken"
            " back. Correct its 'downgrade()'.",
            lines,
        )


def _use(
    connection: sa.Connection,
    script: Script,
    rows: Rows | None,
    use: c.Callable[[sa.Connection, Script, str, c.Sequence[t.Any]], None],
) -> None:
    try:
        with connection.begin():
            if callable(rows):
                rows(connection)
            else:
                for table, listed in (rows or {}).items():
                    use(connection, script, table, listed)
    except CheckFailedError:
        raise
    except AssertionError as e:
        raise CheckFailedError(
            f"Revision {script.revision} ({script.path}) has not kept the data. Correct"
            " its 'upgrade()'.",
            str(e).splitlines(),
        ) from e


def _table(connection: sa.Connection, name: str) -> sa.Table:
    schema, _, name = name.rpartition(".")
    return sa.Table(
        name, sa.MetaData(), schema=schema or None, autoload_with=connection
    )


def _insert(
    connection: sa.Connection, script: Script, name: str, rows: c.Sequence[t.Any]
) -> None:
    if rows:
        connection.execute(_table(connection, name).insert(), list(rows))


def _expect(
    connection: sa.Connection, script: Script, name: str, rows: c.Sequence[t.Any]
) -> None:
    table = _table(connection, name)
    found = [dict(row) for row in connection.execute(table.select()).mappings()]
    missing = [row for row in rows if not any(row.items() <= f.items() for f in found)]

    if missing:
        raise CheckFailedError(
            f"Revision {script.revision} ({script.path}) has not kept the data: table"
            f" '{name}' lacks rows. Correct its 'upgrade()'.",
            [*(f"- {row}" for row in missing), *(f"+ {row}" for row in found)],
        )
