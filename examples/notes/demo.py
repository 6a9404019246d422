"""Show what the notes app does: it starts, migrates its database, answers, and its
command line tells where the database stands.

Run it with ``python examples/notes/demo.py``. It takes a new SQLite file, or the
database of the variable ``DATABASE_URL``, and a free port of this machine.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

FOLDER = Path(__file__).parent
#: Seconds.
START_TIMEOUT = 30
STOP_TIMEOUT = 10


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        if not os.environ.get("DATABASE_URL"):
            os.environ["DATABASE_URL"] = f"sqlite+aiosqlite:///{folder}/notes.db"

        title("Start the app. It migrates its database before it serves.")
        port = free_port()
        server = start_server(port)

        try:
            wait_until_it_answers(server, port)
            print(f"http://127.0.0.1:{port} answers, served by process {server.pid}.")
            use_the_app(port)
        finally:
            stop(server)

        check(server.returncode == 0, "The server must stop without an error.")
        print(f"\nStopped process {server.pid}.")
        use_the_command_line()

    print("\nEverything works.")


def use_the_app(port: int) -> None:
    title("Ask whether it is ready.")
    status, body = request(port, "GET", "/ready")
    print(f"GET /ready -> {status}\n{body.strip()}")
    check(status == 200, "The database must have every revision.")

    title("Post a note.")
    text = f"Remember the milk & eggs ({os.getpid()})"
    status, _ = request(port, "POST", "/notes", {"text": text})
    print(f"POST /notes -> {status}")
    check(status == 302, "Posting a note must redirect to the page.")

    title("Get the notes as JSON.")
    status, body = request(port, "GET", "/api/notes")
    print(f"GET /api/notes -> {status}\n{body.strip()}")
    check(status == 200, "The JSON must be there.")
    check(
        json.loads(body)[0]["text"] == text, "The newest note must be the posted one."
    )

    title("Get the page.")
    status, body = request(port, "GET", "/")
    shown = [line.strip() for line in body.splitlines() if "&amp; eggs" in line]
    print(f"GET / -> {status}, {len(body)} characters of HTML, with the note:")
    print("\n".join(shown))
    check(status == 200 and bool(shown), "The page must show the note.")


def use_the_command_line() -> None:
    title("Ask the command line about the same database.")
    current = run_cli("db", "current", "--check-heads")
    check("(head)" in current, "The database must be at head.")
    newest, *_ = run_cli("db", "log").splitlines()
    check(newest == current, "The newest revision must be the current one.")
    differences = run_cli("db", "check")
    check(differences == "No changes detected.", "The models must match the database.")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def start_server(port: int) -> subprocess.Popen[bytes]:
    options = ["--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    # Without workers, it is one process, of which the id is known.
    options += ["--workers", "0"]
    return subprocess.Popen(
        [sys.executable, "-m", "hypercorn", *options, "notes:create_app()"], cwd=FOLDER
    )


def wait_until_it_answers(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT

    while True:
        check(server.poll() is None, "The server must not stop by itself.")

        try:
            request(port, "GET", "/")
            return
        except OSError:
            check(time.monotonic() < deadline, "The server must start in time.")
            time.sleep(0.05)


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()

    try:
        server.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def request(
    port: int, method: str, path: str, form: dict[str, str] | None = None
) -> tuple[int, str]:
    """The status and the text of a response. Redirects aren't followed."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)

    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        connection.request(method, path, urlencode(form or {}), headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def run_cli(*args: str) -> str:
    """Run a command of the app, and show it with what it prints."""
    command = ["quart", "--app", "notes", *args]
    print(f"$ {' '.join(command)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=FOLDER, stdout=subprocess.PIPE, text=True
    )
    print(done.stdout.rstrip(), flush=True)
    check(done.returncode == 0, f"'{' '.join(command)}' must succeed.")
    return done.stdout.strip()


def title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def check(is_so: bool, text: str) -> None:
    if not is_so:
        sys.exit(f"\nNot as expected: {text}")


if __name__ == "__main__":
    main()
