"""What can happen to an upgrade, and what this package promises of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass

from .lab import Lab
from .lab import Project
from .tools import ToolZygote

PROCESSES = 10

AUTHOR = """
op.create_table(
    "author",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20), nullable=False),
)
op.execute("INSERT INTO author (id, name) VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cyd')")
"""
WIDEN = """
with op.batch_alter_table("author") as batch:
    batch.alter_column("name", type_=sa.String(50))
"""
BOOK = """
op.create_table(
    "book",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "author_id", sa.Integer, sa.ForeignKey("author.id", ondelete="CASCADE")
    ),
)
op.execute("INSERT INTO book VALUES (1, 1), (2, 1), (3, 2), (4, 3), (5, 3)")
"""
HALF = """
op.add_column("author", sa.Column("email", sa.String(50)))
op.execute("INSERT INTO author (id, name, email) VALUES (4, 'Dan', 'dan@example')")
"""
FAILURE = """op.execute("UPDATE auhtor SET email = ''")"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)"

#: What a table of SQLite can have: how it is made, and what tells that it is there.
FEATURES = {
    "trigger": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20))",
        "CREATE TRIGGER t AFTER INSERT ON author BEGIN DELETE FROM log; END",
        "CREATE TRIGGER",
    ),
    "view": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20))",
        "CREATE VIEW v AS SELECT name FROM author",
        "CREATE VIEW",
    ),
    "expression index": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20))",
        "CREATE INDEX i ON author (lower(name))",
        r"lower\(name\)",
    ),
    "partial index": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20))",
        "CREATE INDEX i ON author (name) WHERE id > 9",
        "WHERE id > 9",
    ),
    "descending index": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20))",
        "CREATE INDEX i ON author (name DESC)",
        "name.? DESC",
    ),
    "`AUTOINCREMENT`": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(20))",
        "AUTOINCREMENT",
    ),
    "unnamed `CHECK`": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20),"
        " CHECK (id > 0))",
        r"CHECK *\(id > 0\)",
    ),
    "`COLLATE`": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20),"
        " city TEXT COLLATE NOCASE)",
        "COLLATE .?NOCASE",
    ),
    "`ON DELETE` in a column": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20),"
        " log INTEGER REFERENCES log (id) ON DELETE CASCADE)",
        "ON DELETE CASCADE",
    ),
    "`UNIQUE` in a column": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20) UNIQUE)",
        "UNIQUE",
    ),
    "computed column": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20),"
        " initial TEXT GENERATED ALWAYS AS (substr(name, 1, 1)) STORED)",
        r"AS \(substr",
    ),
    "`WITHOUT ROWID`": (
        "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(20)) WITHOUT ROWID",
        "WITHOUT ROWID",
    ),
}

#: What psycopg2 has run for years.
STATEMENTS = {
    "several statements in one `op.execute()`": (
        'op.execute("CREATE TABLE one (id INT); CREATE TABLE two (id INT)")'
    ),
    "a parameter without a type": (
        """op.get_bind().execute(sa.text("SELECT CONCAT('x', :p)"), {"p": "y"})"""
    ),
    "a string for an integer": (
        'op.get_bind().execute(sa.text("DELETE FROM author WHERE id = :id"),'
        ' {"id": "3"})'
    ),
    "a raw `COMMIT` before `CREATE INDEX CONCURRENTLY`": (
        'op.execute("COMMIT")\n'
        'op.execute("CREATE INDEX CONCURRENTLY ix ON author (name)")'
    ),
}

JOURNAL = """op.execute("INSERT INTO journal VALUES ('{0}')")"""
RACE = {
    "a1": 'op.create_table("journal", sa.Column("revision", sa.String(20)))\n'
    + JOURNAL.format("a1"),
    "a2": 'op.execute("SELECT pg_sleep(1)")\n' + JOURNAL.format("a2"),
    "a3": 'op.create_table("users", sa.Column("id", sa.Integer))\n'
    + JOURNAL.format("a3"),
}


@dataclass(frozen=True)
class Row:
    """What came out for one tool.

    :param promised: How the text begins that this package promises; empty if it
        promises nothing.
    """

    title: str
    text: str
    promised: str = ""


Scenario = Callable[[Lab, ToolZygote], Iterator[Row]]


def change_a_parent(lab: Lab, zygote: ToolZygote) -> Iterator[Row]:
    project = lab.project(zygote, "SQLite")
    project.prepare(AUTHOR, BOOK)
    project.write("a2", "a1", WIDEN)
    error = project.upgrade()
    ((left,),) = project.execute("SELECT count(*) FROM book")
    title = "SQLite, batch change of a parent with `ON DELETE CASCADE`: child rows lost"
    yield Row(title, died(error) if error else f"{5 - left} of 5", "0 of 5")


def change_a_table_with(lab: Lab, zygote: ToolZygote) -> Iterator[Row]:
    """Each of the features, one by one."""
    projects = {}

    for name, (*statements, marker) in FEATURES.items():
        project = projects[name] = lab.project(zygote, "SQLite")

        for statement in ["CREATE TABLE log (id INTEGER PRIMARY KEY)", *statements]:
            project.execute(statement)

        project.write("a1", None, WIDEN)
        assert re.search(marker, project.schema(), re.IGNORECASE), name

    errors = zygote.upgrade(*((p.folder, p.url) for p in projects.values()))
    lost, failed = [], []

    for (name, project), error in zip(projects.items(), errors, strict=True):
        schema = project.schema()

        if error or "VARCHAR(50)" not in schema:
            failed.append(name)
        elif not re.search(FEATURES[name][-1], schema, re.IGNORECASE):
            lost.append(name)

    text = ", ".join(lost) or "nothing"
    text += f"; it dies of a {' or a '.join(failed)}" if failed else ""
    yield Row("SQLite, batch change of a table: what it loses", text, "nothing")


def break_off(lab: Lab, zygote: ToolZygote, database: str, how: str) -> Iterator[Row]:
    """End a revision half-way, mend it and upgrade again."""
    project = lab.project(zygote, database)
    project.prepare(AUTHOR)
    project.write("a2", "a1", HALF + how)
    error = project.upgrade()
    assert error, f"{zygote.tool} did not fail on {database}"
    is_atomic = database != "MariaDB"
    what = "a kill ends a revision" if how == KILL else "a revision fails"
    title = f"{database}, {what} half-way"
    promised = "nothing" if is_atomic else ""
    yield Row(f"{title}: what stays of it", state_of(project), promised)

    if not is_atomic and how == FAILURE:
        text = "yes" if "ADD COLUMN email" in error else "no"
        yield Row(f"{title}: the error tells what was applied", text, "yes")

    project.write("a2", "a1", HALF)
    error = project.upgrade()
    promised = "ok" if is_atomic else "refuses"
    yield Row(f"{title}: second run, once mended", outcome(error, project), promised)


def state_of(project: Project) -> str:
    """What there is of the second revision."""
    found = ["its column"] if "email" in project.columns("author") else []
    rows = project.execute("SELECT id FROM author WHERE name = 'Dan'")
    found += ["its row"] if rows else []
    revisions = project.execute("SELECT version_num FROM alembic_version")
    found += ["its version"] if revisions == [("a2",)] else []
    return ", ".join(found) or "nothing"


def outcome(error: str | None, project: Project) -> str:
    if error is None:
        found = state_of(project)
        return "ok" if found == "its column, its row, its version" else found

    if "finish the revision by hand" in error and "or undo it by hand" in error:
        return "refuses, and names the ways out"

    return died(error)


def fail_on_sqlite(lab: Lab, zygote: ToolZygote) -> Iterator[Row]:
    return break_off(lab, zygote, "SQLite", FAILURE)


def fail_on_postgresql(lab: Lab, zygote: ToolZygote) -> Iterator[Row]:
    return break_off(lab, zygote, "PostgreSQL", FAILURE)


def fail_on_mariadb(lab: Lab, zygote: ToolZygote) -> Iterator[Row]:
    return break_off(lab, zygote, "MariaDB", FAILURE)


def kill_on_sqlite(lab: Lab, zygote: ToolZygote) -> Iterator[Row]:
    return break_off(lab, zygote, "SQLite", KILL)


def kill_on_postgresql(lab: Lab, zygote: ToolZygote) -> Iterator[Row]:
    return break_off(lab, zygote, "PostgreSQL", KILL)


def kill_on_mariadb(lab: Lab, zygote: ToolZygote) -> Iterator[Row]:
    return break_off(lab, zygote, "MariaDB", KILL)


def race(lab: Lab, zygote: ToolZygote) -> Iterator[Row]:
    project = lab.project(zygote, "PostgreSQL")
    parent = None

    for revision, body in RACE.items():
        project.write(revision, parent, body)
        parent = revision

    races = zygote.race(PROCESSES, (project.folder, project.url))
    errors = [error for (error,) in races if error]
    title = f"PostgreSQL, {PROCESSES} processes upgrade an empty database at once"
    text = f"{len(errors)} of {PROCESSES}"
    yield Row(f"{title}: how many die", text, f"0 of {PROCESSES}")
    journal = [r for (r,) in project.execute("SELECT revision FROM journal ORDER BY 1")]
    text = "yes" if journal == [*RACE] else f"no: {', '.join(journal)}"
    yield Row(f"{title}: each revision is applied once", text, "yes")


def run_on_asyncpg(lab: Lab, zygote: ToolZygote) -> Iterator[Row]:
    for title, body in STATEMENTS.items():
        project = lab.project(zygote, "PostgreSQL", is_async=True)
        project.write("a1", None, AUTHOR)
        project.write("a2", "a1", body)
        error = project.upgrade()
        yield Row(f"asyncpg, {title}", died(error) if error else "ok", "ok")


#: In their order on the page, with the database that each needs.
SCENARIOS: dict[Scenario, str] = {
    change_a_parent: "SQLite",
    change_a_table_with: "SQLite",
    fail_on_sqlite: "SQLite",
    kill_on_sqlite: "SQLite",
    fail_on_postgresql: "PostgreSQL",
    kill_on_postgresql: "PostgreSQL",
    race: "PostgreSQL",
    run_on_asyncpg: "PostgreSQL",
    fail_on_mariadb: "MariaDB",
    kill_on_mariadb: "MariaDB",
}


def died(error: str) -> str:
    """What an error says first, without what the driver puts around it."""
    name, _, text = error.splitlines()[0].partition(": ")

    if "greenlet_spawn" in text or "'AsyncEngine' object" in text:
        return f"has no async engines ({name})"

    text = re.sub(r"^<class '[^']*'>: ", "", text)
    text = re.sub(r"""^\(\d+, ['"](.*)['"]\)$""", r"\1", text)
    return f"dies: {text}".replace("|", r"\|")
