"""What the servers, and what stands in front of them, have in common."""

from __future__ import annotations

import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC
from abc import abstractmethod
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import ClassVar
from typing import Self

from sqlalchemy import URL

USER = "tester"
#: Has every character that URLs, ``configparser`` and drivers like to trip over.
PASSWORD = "s3cr%t:p@ss/word"

# Outlives a test run that is killed: its input ends then, and it clears up.
_WATCHDOG = """
read -r dismissed && exit
kill -QUIT "$1"
for _ in $(seq 100); do kill -0 "$1" || break; sleep 0.05; done
kill -KILL "$1"
rm -rf "$2" "$3"
"""


class ServerError(Exception):
    """A server could not be started."""


def _ports() -> Iterator[int]:
    """This process's share of the ports below the range from which the kernel serves
    outgoing connections, so that none takes one while a server is down.
    """
    first = 20_000 + os.getpid() % 120 * 100
    return itertools.cycle(random.sample(range(first, first + 100), 100))


_next_port: dict[int, Iterator[int]] = {}


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, and nobody else is about to."""
    for port in _next_port.setdefault(os.getpid(), _ports()):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port

    raise AssertionError("unreachable")


def unprivileged() -> dict[str, Any]:
    """What makes :mod:`subprocess` give up root."""
    if os.geteuid() != 0:
        return {}

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def find_program(name: str) -> str | None:
    """The path of a program of the system."""
    # Debian puts servers where only root's path leads.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Program(ABC):
    """A program that :meth:`start` starts and :meth:`close` removes, with all that it
    has written.
    """

    label: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="async-alembic-"))
        self.log = self.directory.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._initialized = False
        self._failed = False

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise

        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """Why this can't be started here, or None."""

    @abstractmethod
    def _initialize(self) -> None:
        """Write what it needs before its first start."""

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """The command that runs it in the foreground."""

    @abstractmethod
    def _ask(self) -> None:
        """Fail unless it answers."""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.label} is not running"
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers. Does nothing if it runs."""
        if self.running:
            return

        try:
            if not self._initialized:
                if identity := unprivileged():
                    os.chown(self.directory, identity["user"], identity["group"])

                self._initialize()

            self._spawn()
            self._wait_until_it_answers()
            self._initialized = True
        except ServerError:
            self._failed = True
            raise

    def stop(self) -> None:
        """Stop it and keep its data. Does nothing if it doesn't run."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)

            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

            self._process = None

        if self._watchdog is not None:
            self._watchdog.communicate(b"dismissed\n")
            self._watchdog = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and remove its directory, and its log unless that tells why it did
        not start.
        """
        self.stop()
        shutil.rmtree(self.directory)

        if not self._failed:
            self.log.unlink(missing_ok=True)

    def _spawn(self) -> None:
        # A session of its own, so that Ctrl+C reaches pytest only, which stops it.
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **unprivileged(),
            )

        self._watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, "sh", str(self.pid), self.directory, self.log],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_until_it_answers(self, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout

        while True:
            try:
                self._ask()
                return
            except Exception as error:
                # The drivers share no exception. A wrong one ends at the deadline.
                if not self.running or time.monotonic() > deadline:
                    raise self._error("did not start") from error

            time.sleep(0.02)

    def _run(self, *command: str | Path) -> None:
        with self.log.open("ab") as log:
            result = subprocess.run(
                command,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **unprivileged(),
            )

        if result.returncode != 0:
            raise self._error(f"'{command[0]}' exited with {result.returncode}")

    def _error(self, what: str) -> ServerError:
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-60:])
        return ServerError(f"{self.label}: {what}. The end of '{self.log}':\n{tail}")


class Server(Program):
    """A database server."""

    @abstractmethod
    def execute(self, statement: str, *params: object) -> list[tuple[Any, ...]]:
        """Run one statement as the administrator and return its rows, if any."""

    @abstractmethod
    def create_database(self, name: str) -> None: ...

    @abstractmethod
    def drop_database(self, name: str) -> None:
        """Drop a database, ending the connections that are left in it."""

    @abstractmethod
    def database_names(self) -> set[str]: ...

    @abstractmethod
    def connections(self, database: str) -> list[str]:
        """Describe the connections that are open in a database."""

    @abstractmethod
    def _set_up(self) -> None:
        """What is done once, when it answers for the first time."""

    def start(self) -> None:
        is_new = not self._initialized
        super().start()

        if is_new:
            self._set_up()

    def url(self, drivername: str, database: str) -> URL:
        """The address of a database, for :data:`USER`."""
        return URL.create(
            drivername, USER, PASSWORD, self.host, self.port, database=database
        )

    def _ask(self) -> None:
        self.execute("SELECT 1")


class Proxy(Program):
    """A program that stands between an app and a server, for any of its databases.

    :param server: A server that runs.
    """

    program: ClassVar[str]
    stop_signal = signal.SIGTERM

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    @classmethod
    def missing(cls) -> str | None:
        if find_program(cls.program) is None:
            return f"{cls.label}: '{cls.program}' is not installed."

        return None

    def url(self, url: URL) -> URL:
        """The address of a database of the server through this."""
        return url.set(port=self.port)

    def _ask(self) -> None:
        socket.create_connection((self.host, self.port)).close()

    def _write(self, name: str, *lines: str) -> Path:
        """Write a file that it reads."""
        path = self.directory / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path
