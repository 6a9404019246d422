#!/usr/bin/env bash
# PyMySQL 1.2.4 loads the certificates that the machine trusts for each connection, also
# without any ssl argument and with a server that has no TLS: it prepares for TLS in case
# the server offers it. PyMySQL 1.1.1 did so only where an ssl argument was given. The file
# is named by the environment variable SSL_CERT_FILE, so tests can point it to an empty one.
#
# Seen: 1.1.1 makes no SSL context; 1.2.4 makes one, in 30 to 50 ms on Debian 12.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in 1.1.1 1.2.4; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "pymysql==$version"
    "$folder/$version/bin/python" - "$version" <<'PYTHON'
import ssl
import sys
import time

import pymysql

version = sys.argv[1]
made = []
create_default_context = ssl.create_default_context


def spy(*args, **kwargs):
    begin = time.perf_counter()
    context = create_default_context(*args, **kwargs)
    made.append((time.perf_counter() - begin) * 1000)
    return context


ssl.create_default_context = spy
# No connection is made.
pymysql.connect(host="127.0.0.1", user="me", defer_connect=True)
print(f"PyMySQL {version}: {len(made)} contexts, {sum(made):.1f} ms")
assert len(made) == {"1.1.1": 0, "1.2.4": 1}[version], made
PYTHON
done
