#!/usr/bin/env bash
# Gunicorn 27: its worker class "asgi" waits 30 seconds for the startup of an app, then cancels
# it and serves, as if the app had none. "--timeout" does not change the 30 seconds.
#
# Seen: an ASGI app whose startup takes 40 seconds answers a request after about 30, with
# "--timeout 120". What the startup would have set is missing then, and later too.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gunicorn==27.0.1
cat >"$folder/app.py" <<'PYTHON'
import asyncio

state = "not started"


async def app(scope, receive, send):
    global state

    if scope["type"] == "lifespan":
        await receive()

        try:
            await asyncio.sleep(40)
        except asyncio.CancelledError:
            state = "cancelled"
            raise

        state = "started"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        headers = [(b"content-length", str(len(state)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": state.encode()})
PYTHON
timeout 120 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version

folder = sys.argv[1]

with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]

command = [sys.executable, "-m", "gunicorn", "--worker-class", "asgi", "app:app"]
command += ["--bind", f"127.0.0.1:{port}", "--timeout", "120"]
quiet = subprocess.DEVNULL
server = subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet)
started = time.monotonic()


def ask():
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=90) as answer:
            return answer.read().decode()
    except OSError:
        return None


try:
    while (first := ask()) is None and time.monotonic() - started < 90:
        time.sleep(0.2)

    seconds = time.monotonic() - started
    time.sleep(15)
    later = ask()
finally:
    server.terminate()
    server.wait()

print(f"Gunicorn {version('gunicorn')}: after {seconds:.0f} s: {first}, later: {later}")
assert (first, later) == ("cancelled", "cancelled"), (first, later)
assert 28 < seconds < 38, seconds
PYTHON
