#!/usr/bin/env bash
# Granian 2.8.9: a SIGTERM that arrives while a worker imports the app is lost. The worker starts
# to serve when the import is done, and the main process waits for its end, without limit
# unless "--workers-kill-timeout" sets one.
#
# Seen: an app's module sleeps for 6 seconds, and the server gets SIGTERM after 3. It answers
# requests 15 seconds later, as a WSGI and as an ASGI app. If the startup of the ASGI lifespan
# protocol takes the 6 seconds instead, the server ends.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check granian==2.8.9
cat >"$folder/apps.py" <<'PYTHON'
import asyncio
import os
import time

seconds = 6
is_slow_to_import = os.environ["SLOW"] == "import"

if is_slow_to_import:
    time.sleep(seconds)


def wsgi(environ, start_response):
    start_response("200 OK", [("content-length", "6")])
    return [b"served"]


async def asgi(scope, receive, send):
    if scope["type"] != "lifespan":
        headers = [(b"content-length", b"6")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"served"})
        return

    await receive()
    await asyncio.sleep(0 if is_slow_to_import else seconds)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
PYTHON
timeout 120 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version

folder = sys.argv[1]


def outcome(interface, slow):
    """Return what a server does after SIGTERM."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    command = [sys.executable, "-m", "granian", "--interface", interface]
    command += ["--port", str(port), f"apps:{interface}"]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "SLOW": slow},
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    )

    try:
        time.sleep(3)
        server.send_signal(signal.SIGTERM)

        try:
            server.wait(15)
            return "ended"
        except subprocess.TimeoutExpired:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return answer.read().decode()
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


cases = [("wsgi", "import"), ("asgi", "import"), ("asgi", "startup")]
seen = [outcome(*case) for case in cases]
print(f"Granian {version('granian')}: {dict(zip(cases, seen))}")
assert seen == ["served", "served", "ended"], seen
PYTHON
