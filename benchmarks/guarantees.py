"""What is left after a batch change, a failure, a kill or a race, with this package and
with its peers: a table in Markdown.

Run it with ``python -m benchmarks.guarantees``. Every upgrade is made in a new process,
in the project that the tool's own ``init`` makes, and in a new database, which is then
looked at past the tool. On SQLite, foreign keys are enforced. A database that is not
installed is skipped. It fails if this package does not do what it promises.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from importlib.metadata import version

from .lab import Lab
from .lab import open_lab
from .lab import SERVERS
from .scenarios import Row
from .scenarios import SCENARIOS
from .tools import OURS
from .tools import TOOLS
from .tools import ToolZygote

PACKAGES = {
    "Alembic": "alembic",
    "Flask-Alembic": "flask-alembic",
    "Flask-Migrate": "flask-migrate",
    "SQLAlchemy": "sqlalchemy",
}


def main() -> None:
    versions = [f"Python {sys.version.split()[0]}"]
    versions += [f"{name} {version(package)}" for name, package in PACKAGES.items()]
    versions.append(f"SQLite {sqlite3.sqlite_version}")

    with open_lab() as lab:
        for name in SERVERS:
            if missing := lab.missing(name):
                print(f"Skipped. {missing}", file=sys.stderr)
                continue

            ((text,),) = lab.server(name).execute("SELECT version()")
            versions += [
                f"{name} {number}" for number in re.findall(r"[\d.]+", text)[:1]
            ]

        table = compare(lab, [lab.zygote(tool) for tool in TOOLS])

    print(", ".join(versions), end="\n\n")
    print_table(table)

    if broken := broken_promises(table):
        sys.exit("\nNot as promised:\n" + "\n".join(broken))


def compare(lab: Lab, zygotes: list[ToolZygote]) -> dict[str, dict[str, Row]]:
    """Run every scenario with every tool.

    :return: For the title of each row, the row of each tool.
    """
    table: dict[str, dict[str, Row]] = {}

    for scenario, database in SCENARIOS.items():
        if database != "SQLite" and database not in lab.servers:
            continue

        for zygote in zygotes:
            for row in scenario(lab, zygote):
                table.setdefault(row.title, {})[zygote.tool] = row

    return table


def print_table(table: dict[str, dict[str, Row]]) -> None:
    print_line("", *TOOLS)
    print_line(*["---"] * (1 + len(TOOLS)))

    for title, rows in table.items():
        print_line(title, *(rows[tool].text for tool in TOOLS))


def print_line(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |")


def broken_promises(table: dict[str, dict[str, Row]]) -> list[str]:
    return [
        f"{tool}. {title}: {rows[tool].text}"
        for title, rows in table.items()
        for tool in OURS
        if not rows[tool].text.startswith(rows[tool].promised)
    ]


if __name__ == "__main__":
    main()
