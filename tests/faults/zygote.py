"""A process that forks, for each upgrade that is to be killed, one that is killed."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any
from typing import NoReturn

import anyio
import sqlalchemy as sa

from ..backends import BACKENDS
from ..backends import by_id
from ..zygote import Zygote
from .endings import Ending
from .endings import upgrading
from .history import write_history
from .site import Site
from .subject import Subject
from .trips import At
from .trips import Fault


class FaultZygote(Zygote):
    """The process, as seen from the tests."""

    def __init__(self) -> None:
        super().__init__(__name__)

    def kill(self, site: Site, at: At | None) -> Ending:
        """Upgrade in a process that is killed at one of its trips."""
        return Ending(**self.ask({"subject": site.subject.to_json(), "at": at}))


def serve() -> None:
    # What a child prints must not get between the answers.
    with os.fdopen(os.dup(1), "w") as answers:
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
