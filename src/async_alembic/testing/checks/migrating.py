"""Checks that migrate a database one revision at a time."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

import sqlalchemy as sa
from alembic.runtime.migration import MigrationStep

from ...commands import migrate
from ...dialects.schemas.reading import differences
from ...dialects.schemas.reading import Schema
from ...dialects.schemas.reading import SchemaReader
from ...errors import first_line
from ...migration.environment import Environment
from .results import all_failures
from .results import CheckFailedError
from .results import RevisionFailedError

if t.TYPE_CHECKING:
    from alembic.script import Script

#: Rows by table name, or a function that takes a connection.
Rows: t.TypeAlias = (
    c.Mapping[str, c.Sequence[c.Mapping[str, t.Any]]]
    | c.Callable[[sa.Connection], object]
)


@dataclasses.dataclass(frozen=True)
class RevisionData:
    """Rows that exist before a revision, and the rows expected after it.

    :param before: Rows to insert before the upgrade: a list of dicts for each table, or
        a function that takes a connection.
    :param after: Rows that must exist after the upgrade: a list of dicts for each
        table, which may omit columns, or a function that takes a connection.
    :param database: The name of the database. By default, the default database.
    """

    before: Rows | None = None
    after: Rows | None = None
    database: str | None = None


def check_up_down_up(env: Environment, finished: c.MutableSet[str]) -> None:
    """Upgrade, downgrade and upgrade each revision.

    :param env: An empty database.
    :param finished: The revisions to upgrade only. Each revision that was tried is
        added.
    :raises RevisionFailedError: If the downgrade does not restore the schema, or the
        second upgrade creates a different one. The database is then unusable.
    """
    readers = _readers(env)
    before: Schema | None = None

    for script in _oldest_first(env):
        if script.revision in finished:
            _migrate(env, script, "upgrade")
            before = None
            continue

        if before is None:
            before = _read(env, readers)

        _migrate(env, script, "upgrade")
        finished.add(script.revision)
        after = _read(env, readers)
        _migrate(env, script, "downgrade")
        problem = "does not restore the schema on downgrade"
        _compare(script, problem, before, _read(env, readers))
        _migrate(env, script, "upgrade")
        problem = "creates a different schema on the second upgrade"
        _compare(script, problem, after, _read(env, readers))
        before = after


def check_downgrade_to_base(env: Environment, empty: Schema) -> None:
    """Downgrade all revisions.

    :param env: A migrated database.
    :param empty: The schema of an empty database.
    :raises CheckFailedError: If the schemas differ.
    """
    for script in reversed(_oldest_first(env)):
        _migrate(env, script, "downgrade")

    if lines := differences(empty, read_schema(env)):
        raise CheckFailedError(
            "The downgrade to base does not restore an empty database. Drop each"
            " object in the 'downgrade()' of the revision that creates it.",
            lines,
        )


def check_data_preserved(env: Environment, data: c.Mapping[str, RevisionData]) -> None:
    """Upgrade each revision with its data.

    :param env: An empty database.
    :param data: The data by revision id.
    :raises CheckFailedError: If the rows after an upgrade are not as expected.
    """
    scripts = _oldest_first(env)
    unknown = data.keys() - {script.revision for script in scripts}

    if unknown:
        raise CheckFailedError(
            f"There is data for {', '.join(sorted(unknown))}, but no such revision."
            " Correct the id. 'db log' lists all revisions."
        )

    failures: list[CheckFailedError] = []

    for script in scripts:
        revision_data = data.get(script.revision, RevisionData())
        name = revision_data.database or env.default

        if name not in env.contexts:
            raise CheckFailedError(
                f"There is no database '{name}' for the data of {script.revision}."
                f" The databases are {', '.join(map(repr, env.contexts))}."
            )

        connection = env.databases.connections[name]
        _process_rows(connection, script, revision_data.before, _insert)
        _migrate(env, script, "upgrade")

        try:
            _process_rows(connection, script, revision_data.after, _check_rows)
        except CheckFailedError as e:
            failures.append(e)

    if failures:
        raise all_failures(failures)


def _oldest_first(env: Environment) -> list[Script]:
    """Return all revisions, each after those that it depends on."""
    newest_first = env.scripts.iterate_revisions("heads", "base")
    return list(newest_first)[::-1]


def read_schema(env: Environment) -> Schema:
    """Return the schema of the databases, without the version tables."""
    return _read(env, _readers(env))


def _readers(env: Environment) -> dict[str, SchemaReader]:
    return {
        name: SchemaReader({context.version_table})
        for name, context in env.contexts.items()
    }


def _read(env: Environment, readers: c.Mapping[str, SchemaReader]) -> Schema:
    objects: Schema = {}

    for name, reader in readers.items():
        connection = env.databases.connections[name]
        label = f"{name}: " if len(readers) > 1 else ""

        try:
            schema = reader.read(connection)
        finally:
            connection.rollback()

        objects |= {f"{label}{item}": text for item, text in schema.items()}

    return objects


def _migrate(env: Environment, script: Script, direction: str) -> None:
    # As each command has. Alembic's contexts remember the types that they have created.
    env = Environment(env.project, env.databases, env.metadatas)
    create_step = getattr(MigrationStep, f"{direction}_from_script")

    def steps(heads: t.Any, context: t.Any) -> list[t.Any]:
        return [create_step(env.project.scripts.revision_map, script)]

    try:
        migrate.run_migrations(env, steps)
    except Exception as e:
        raise RevisionFailedError(
            script.revision,
            f"Revision {script.revision} ({script.path}) fails to {direction}. Correct"
            f" its '{direction}()'.",
            [first_line(e)],
        ) from e


def _compare(script: Script, problem: str, expected: Schema, found: Schema) -> None:
    if lines := differences(expected, found):
        raise RevisionFailedError(
            script.revision,
            f"Revision {script.revision} ({script.path}) {problem}. Correct its"
            " 'downgrade()'.",
            lines,
        )


def _process_rows(
    connection: sa.Connection,
    script: Script,
    rows: Rows | None,
    fn: c.Callable[[sa.Connection, Script, str, c.Sequence[t.Any]], None],
) -> None:
    try:
        with connection.begin():
            if callable(rows):
                rows(connection)
            else:
                for table, table_rows in (rows or {}).items():
                    fn(connection, script, table, table_rows)
    except CheckFailedError:
        raise
    except AssertionError as e:
        raise CheckFailedError(
            f"Revision {script.revision} ({script.path}) does not preserve the data."
            " Correct its 'upgrade()'.",
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


def _check_rows(
    connection: sa.Connection, script: Script, name: str, rows: c.Sequence[t.Any]
) -> None:
    table = _table(connection, name)
    found = [dict(row) for row in connection.execute(table.select()).mappings()]
    missing = [row for row in rows if not any(row.items() <= f.items() for f in found)]

    if missing:
        raise CheckFailedError(
            f"Revision {script.revision} ({script.path}) does not preserve the data:"
            f" table '{name}' lacks rows. Correct its 'upgrade()'.",
            [*(f"- {row}" for row in missing), *(f"+ {row}" for row in found)],
        )
