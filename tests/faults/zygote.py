"""A process that forks, for each upgrade that is to be killed, one that is killed.

It has imported everything and has one thread, neither of which can be said of the
process that runs the tests. It reads a line of JSON for each upgrade, and answers one.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any
from typing import NoReturn
from typing import Self

import anyio
import sqlalchemy as sa

from ..backends import BACKENDS
from ..backends import by_id
from .endings import Ending
from .endings import upgrading
from .history import write_history
from .site import Site
from .subject import Subject
from .trips import At
from .trips import Fault

ROOT = Path(__file__).parents[2]


class Zygote:
    """The process, as seen from the tests."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate()

    def kill(self, site: Site, at: At | None) -> Ending:
        """Upgrade in a process that is killed at one of its trips."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = {"subject": site.subject.to_json(), "at": at}
        print(json.dumps(command), file=self._process.stdin, flush=True)
        return Ending(**json.loads(self._process.stdout.readline()))


def serve() -> None:
    # What a child prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    for line in sys.stdin:
        print(json.dumps(fork(**json.loads(line))), file=answers, flush=True)


def fork(subject: dict[str, Any], at: list[Any] | None) -> dict[str, Any]:
    """Upgrade in a child. Returns the fields of an :class:`Ending`."""
    read, write = os.pipe()
    pid = os.fork()

    if pid == 0:
        upgrade(Subject.from_json(subject), At(*at) if at else None, write)

    os.close(write)

    with os.fdopen(read) as pipe:
        answer = pipe.read()

    _, status = os.waitpid(pid, 0)

    if os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
        return {"struck": True}

    ending: dict[str, Any] = json.loads(answer)
    return ending


def upgrade(subject: Subject, at: At | None, pipe: int) -> NoReturn:
    try:

        def strike() -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        site = Site(subject)

        with upgrading(site, Fault(at, strike)) as ending:
            site.upgrade()
            ending.completed = True

        site.dispose()
        os.write(pipe, json.dumps(vars(ending)).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def warm_up() -> None:
    """Import what an upgrade does, once for all that are forked."""
    anyio.run(anyio.sleep, 0)

    for backend in BACKENDS:
        if backend.missing is None:
            sa.create_engine(f"{backend.drivername}://")

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_history(root / "migrations")
        url = sa.URL.create("sqlite", database=str(root / "warm.db"))

        with Site(Subject(by_id("sqlite-sqlite3"), url, root, awaited=False)) as site:
            site.upgrade()

    # Not to be looked at, and so copied, in every child.
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    warm_up()
    serve()
