#!/usr/bin/env bash
# Hypercorn 0.18 exits with 0 after the startup of its app has failed, unless it has no worker
# processes. A supervisor that restarts on failure leaves it stopped, and a deploy goes on.
#
# Seen: an ASGI app answers "lifespan.startup" by "lifespan.startup.failed". Hypercorn says
# so, stops, and exits with 0, with one worker or two; with "--workers 0" it exits with 1.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check hypercorn==0.18.0
cat >"$folder/app.py" <<'PYTHON'
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
PYTHON
cd "$folder"
seen=""

for workers in 0 1 2; do
    code=0
    timeout 60 "$folder/venv/bin/hypercorn" --bind 127.0.0.1:0 --workers "$workers" app:app \
        >"$folder/log" 2>&1 || code=$?
    grep -q "no database" "$folder/log"
    seen="$seen $workers:$code"
done

echo "Hypercorn $("$folder/venv/bin/python" -c 'import importlib.metadata as m; print(m.version("hypercorn"))'): exit code by number of workers:$seen"
[ "$seen" = " 0:1 1:0 2:0" ]
