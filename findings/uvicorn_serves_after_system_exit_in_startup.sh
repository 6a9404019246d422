#!/usr/bin/env bash
# Uvicorn 0.54, Quart 0.22: an app that raises SystemExit while it starts, to end the server,
# is served instead. Uvicorn takes whatever is raised during the startup without a message of
# the ASGI lifespan protocol for an app that has no startup; Quart sends that message for an
# Exception only.
#
# Seen: a Quart app whose before_serving hook raises SystemExit(1) answers requests. With
# "--lifespan on", the server exits with 3. If the hook raises RuntimeError, it exits with 3 in
# both cases.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check quart==0.22.0 uvicorn==0.54.0

for error in SystemExit RuntimeError; do
    cat >"$folder/$error.py" <<PYTHON
from quart import Quart

app = Quart(__name__)


@app.before_serving
async def start():
    raise $error(1)


@app.get("/")
async def index():
    return "served"
PYTHON
done

timeout 120 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version

folder = sys.argv[1]


def outcome(name, *options):
    """Return what a request gets, or the exit code of the server."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    command = [sys.executable, "-m", "uvicorn", f"{name}:app", "--port", str(port)]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen([*command, *options], cwd=folder, stdout=quiet, stderr=quiet)

    try:
        for _ in range(300):
            if server.poll() is not None:
                return server.returncode

            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
                    return answer.read().decode()
            except OSError:
                time.sleep(0.1)
    finally:
        server.kill()
        server.wait()

    raise SystemExit("The server neither answers nor ends.")


seen = {
    (name, *options): outcome(name, *options)
    for name in ("SystemExit", "RuntimeError")
    for options in ((), ("--lifespan", "on"))
}
print(f"Uvicorn {version('uvicorn')}, Quart {version('quart')}: {seen}")
assert [*seen.values()] == ["served", 3, 3, 3], seen
PYTHON
