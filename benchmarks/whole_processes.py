"""What a whole process takes, from the start of its interpreter to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.zygote import ROOT

# The peak memory of a process begins with that of the process that has started it: so a
# small one starts it.
LAUNCHER = """
import json, os, sys, time
started = time.perf_counter()
pid = os.posix_spawn(sys.executable, [sys.executable, *sys.argv[1:]], os.environ)
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - started
cpu = usage.ru_utime + usage.ru_stime
unit = 1 if sys.platform == "darwin" else 1024
print()
print(json.dumps([cpu, wall, usage.ru_maxrss * unit / 1e6]))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Usage:
    """What one process and the children that it has waited for took.

    :param cpu: Seconds of CPU time, of the process and of the kernel for it.
    :param wall: Seconds from its start to its end.
    :param memory: The most memory that one of them had at once, in MB.
    """

    cpu: float
    wall: float
    memory: float


def run(
    arguments: Sequence[str],
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Usage:
    """Run Python in a new process, to its end.

    :param arguments: Those of Python: ``["-c", code]``, or ``["-m", module]``.
    :param env: Environment variables, beside those of this process.
    :raises RuntimeError: If it fails. Its message has what the process says.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LAUNCHER, *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
    )

    if done.returncode:
        raise RuntimeError(f"python {' '.join(arguments)}: {done.stderr}")

    return Usage(*json.loads(done.stdout.splitlines()[-1]))
