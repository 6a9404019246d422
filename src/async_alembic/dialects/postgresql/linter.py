"""Squawk, a linter of SQL (https://squawkhq.com), if it is installed."""

from __future__ import annotations

import collections.abc as c
import json
import os
import shutil
import subprocess
import sysconfig

#: A revision runs in a transaction, so that it cannot fail half-way.
_EXCLUDED = "prefer-robust-stmts"


def lint(statements: c.Sequence[str]) -> c.Iterator[tuple[int, str, str]]:
    """Yield the position of a statement, the rule that it breaks, and what that means.

    :param statements: The statements of one revision.
    """
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
    program = shutil.which("squawk", path=path)

    if program is None:
        return

    done = subprocess.run(
        [program, "--reporter=json", f"--exclude={_EXCLUDED}"],
        input="".join(f"{statement};\n" for statement in statements).encode(),
        capture_output=True,
    )

    if not done.stdout.strip():
        return

    positions = [
        position
        for position, statement in enumerate(statements)
        for _ in f"{statement};".split("\n")
    ]

    for found in json.loads(done.stdout):
        # Its lines are counted from 0.
        yield positions[found["line"]], found["rule_name"], found["message"]
