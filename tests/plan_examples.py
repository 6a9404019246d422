"""Plans of typical changes, as real servers carry them out, and what linters say.

``python -m tests.plan_examples`` writes the tables of ``docs/explanation/plans.md``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa
from flask import Flask

from async_alembic import SyncAlembic
from async_alembic.plans import PlannedRevision

from .harness import write_revision
from .servers import MariaDBServer
from .servers import PostgresServer

PAGE = Path(__file__).parents[1] / "docs/explanation/plans.md"
SCRIPTS = Path(sys.executable).parent
TABLES = """
op.create_table(
    'users',
    sa.Column('id', sa.Integer, primary_key=True),
    sa.Column('name', sa.String(50)),
    sa.Column('age', sa.Integer),
    sa.Column('kind', sa.Enum('a', 'b', name='kind')),
    sa.Column('born', sa.Integer, sa.CheckConstraint('born IS NOT NULL')),
)
op.create_table(
    'posts',
    sa.Column('id', sa.Integer, primary_key=True),
    sa.Column('user_id', sa.Integer),
)
op.bulk_insert(
    sa.table('users', *map(sa.column, ('id', 'name', 'age', 'born'))),
    [{'id': n, 'name': f'user {n}', 'age': n, 'born': n} for n in range(1, 101)],
)
"""


@dataclass(frozen=True)
class Change:
    """A change of a table, and the body of the revision that makes it.

    :param on_mariadb: ``None`` if there is no such change.
    """

    title: str
    on_postgresql: str
    on_mariadb: str | None


def change(title: str, code: str, on_mariadb: str | None = None) -> Change:
    return Change(title, code, on_mariadb or code)


def _alter(column: str, old: str, rest: str) -> str:
    return f"op.alter_column('users', '{column}', existing_type=sa.{old}, {rest})"


def _add(column: str, rest: str) -> str:
    return f"op.add_column('users', sa.Column('{column}', {rest}))"


UUID = "sa.Uuid, nullable=False,"
CONCURRENTLY = """
with op.get_context().autocommit_block():
    op.create_index('ix_name', 'users', ['name'], postgresql_concurrently=True)
"""
IN_DO = """
change = 'ALTER TABLE users ALTER age TYPE bigint'
op.execute(f"DO $$ BEGIN EXECUTE '{change}'; END $$")
"""
CHANGES = [
    change(
        "NOT NULL column with a constant default",
        _add("active", "sa.Integer, nullable=False, server_default='1'"),
    ),
    change(
        "NOT NULL column with a default for each row",
        _add("token", f"{UUID} server_default=sa.text('gen_random_uuid()')"),
        _add("token", f"{UUID} server_default=sa.text('uuid()')"),
    ),
    change(
        "`INTEGER` becomes `BIGINT`",
        _alter("age", "Integer()", "type_=sa.BigInteger()"),
    ),
    change(
        "`VARCHAR(50)` becomes `VARCHAR(200)`",
        _alter("name", "String(50)", "type_=sa.String(200)"),
    ),
    change(
        "NOT NULL on a column",
        _alter("age", "Integer()", "existing_nullable=True, nullable=False"),
    ),
    Change(
        "NOT NULL on a column that a `CHECK` covers",
        _alter("born", "Integer()", "existing_nullable=True, nullable=False"),
        None,
    ),
    change("Index", "op.create_index('ix_name', 'users', ['name'])"),
    Change("Index, `CONCURRENTLY`", CONCURRENTLY, None),
    change(
        "Foreign key",
        "op.create_foreign_key('fk_user', 'posts', 'users', ['user_id'], ['id'])",
    ),
    change(
        "One more value of an enum",
        "with op.get_context().autocommit_block():\n"
        "    op.execute(\"ALTER TYPE kind ADD VALUE 'c'\")",
        _alter("kind", "Enum('a', 'b')", "type_=sa.Enum('a', 'b', 'c')"),
    ),
    change(
        "Unique constraint",
        "op.create_unique_constraint('uq_name', 'users', ['name'])",
    ),
    change(
        "Renamed column",
        _alter("name", "String(50)", "new_column_name='title'"),
    ),
    change("Dropped column", "op.drop_column('users', 'age')"),
    Change("`INTEGER` becomes `BIGINT`, inside of `DO`", IN_DO, None),
]


def planned(
    server: PostgresServer | MariaDBServer, drivername: str, code: str, folder: Path
) -> PlannedRevision:
    """The plan of one change on a database of its own."""
    name = f"test_{folder.name}"
    server.create_database(name)
    engine = sa.create_engine(server.url(drivername, name), poolclass=sa.NullPool)

    try:
        app = Flask("shop", root_path=str(folder))
        app.config["ALEMBIC"] = {}
        alembic = SyncAlembic(app, metadatas=sa.MetaData(), engines=engine)
        write_revision(folder / "migrations", "a1", None, TABLES)
        write_revision(folder / "migrations", "b2", "a1", code)
        alembic.upgrade("a1")
        (revision,) = alembic.plan(trace=True)["default"].revisions
        return revision
    finally:
        server.drop_database(name)


def locks_of(revision: PlannedRevision) -> str:
    found = {
        f"`{lock.mode}` on `{lock.table}`": None
        for statement in revision.statements
        if statement.observed is not None
        for lock in statement.observed.locks
    }
    return ", ".join(found) or "none"


def work_of(revision: PlannedRevision) -> str:
    """What is written anew, and what is read."""
    observed = [s.observed for s in revision.statements if s.observed is not None]
    rewritten = {name: None for found in observed for name in found.rewritten}
    scanned = {name: None for found in observed for name in found.scanned}
    return "; ".join(
        f"{verb} {', '.join(f'`{name}`' for name in names)}"
        for verb, names in (("rewrites", rewritten), ("scans", scanned))
        if names
    )


def algorithms_of(revision: PlannedRevision) -> str:
    return ", ".join(
        f"`{statement.observed.algorithm}`"
        for statement in revision.statements
        if statement.observed is not None
    )


def squawk(revision: PlannedRevision) -> list[str]:
    rules = {finding.rule for finding in revision.findings}
    # They are the same for every change, and a setting of the session is the answer.
    rules -= {"require-lock-timeout", "require-statement-timeout"}
    return sorted(rules - {"loses-data", "rewrites-table"})


def alembic_guard(revision: PlannedRevision) -> list[str]:
    output = _run("alembic-guard", "--format", "json", "--strict", revision.path)
    return sorted({found["name"] for found in json.loads(output)})


def lockcheck(revision: PlannedRevision) -> list[str]:
    return sorted({*re.findall(r"\bLC\d+\b(?=  )", _run("lockcheck", revision.path))})


def _run(program: str, *args: str) -> str:
    done = subprocess.run([SCRIPTS / program, *args], capture_output=True, text=True)
    return done.stdout


#: By the names of their packages.
LINTERS: dict[str, Callable[[PlannedRevision], list[str]]] = {
    "squawk-cli": squawk,
    "alembic-guard": alembic_guard,
    "lockcheck": lockcheck,
}


def on_postgresql(server: PostgresServer, found: Change, folder: Path) -> list[str]:
    """The cells of a change that the server fills."""
    revision = planned(server, "postgresql+psycopg2", found.on_postgresql, folder)
    return [locks_of(revision), work_of(revision) or "none"]


def said_of(server: PostgresServer, found: Change, folder: Path) -> list[str]:
    """The cells of a change that the linters fill."""
    revision = planned(server, "postgresql+psycopg2", found.on_postgresql, folder)
    return [", ".join(lint(revision)) or "nothing" for lint in LINTERS.values()]


def on_mariadb(server: MariaDBServer, found: Change, folder: Path) -> list[str]:
    assert found.on_mariadb is not None
    return [algorithms_of(planned(server, "mysql+pymysql", found.on_mariadb, folder))]


def postgresql_rows(server: PostgresServer, root: Path) -> Iterator[list[str]]:
    yield ["Change", "New locks", "Work", *LINTERS]

    for number, found in enumerate(CHANGES):
        cells = on_postgresql(server, found, root / f"observed_{number}")
        yield [found.title, *cells, *said_of(server, found, root / f"said_{number}")]


def mariadb_rows(server: MariaDBServer, root: Path) -> Iterator[list[str]]:
    yield ["Change", "Algorithm"]

    for number, found in enumerate(CHANGES):
        if found.on_mariadb is not None:
            yield [found.title, *on_mariadb(server, found, root / f"maria_{number}")]


def versions(server: PostgresServer | MariaDBServer) -> str:
    """What the page says about the version of a server."""
    ((text,),) = server.execute("SELECT version()")
    name = "MariaDB" if isinstance(server, MariaDBServer) else "PostgreSQL"
    found = re.search(r"\d+\.\d+", str(text))
    assert found
    return f"{name} {found[0]}"


def table(rows: Iterator[list[str]]) -> str:
    head, *others = rows
    listed = [head, ["---"] * len(head), *others]
    return "".join(f"| {' | '.join(row)} |\n" for row in listed)


def with_tables(text: str, tables: dict[str, str]) -> str:
    """A page with the tables between their markers replaced."""
    for name, found in tables.items():
        before, marker, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        text = f"{before}{marker}{found}{end}{after}"

    return text


def main() -> None:
    with (
        PostgresServer() as postgres,
        MariaDBServer() as mariadb,
        tempfile.TemporaryDirectory() as folder,
    ):
        linters = ", ".join(f"{name} {version(name)}" for name in LINTERS)
        tables = {
            "versions": f"{versions(postgres)}, {versions(mariadb)}, {linters}.\n",
            "postgresql": table(postgresql_rows(postgres, Path(folder))),
            "mariadb": table(mariadb_rows(mariadb, Path(folder))),
        }
        PAGE.write_text(with_tables(PAGE.read_text(), tables))


if __name__ == "__main__":
    main()
