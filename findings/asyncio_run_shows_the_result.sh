#!/usr/bin/env bash
# CPython 3.11 and 3.12: asyncio.run() calls repr() of what the coroutine returns, although
# nothing prints it. At its end it compares the handler of SIGINT, which is a partial of the
# task. signal.getsignal() tries to make an enum of the handler, and the message of the
# ValueError that this raises, and that is ignored, has the handler in it, and so the task
# and its result. CPython 3.13 does not.
#
# So a result with a slow repr(), or one that loads something, is paid for at the end of the
# run. Seen with 3.11.7 and 3.12.1: two calls. With 3.13.0: none.
set -euo pipefail

for version in 3.11 3.12 3.13; do
    if ! "python$version" -c "" 2>/dev/null; then
        echo "Python $version: not installed"
        continue
    fi

    "python$version" - <<'PYTHON'
import asyncio
import sys

calls = []


class Result:
    def __repr__(self):
        calls.append(self)
        return "Result()"


async def main():
    return [Result()]


asyncio.run(main())
print(f"Python {sys.version.split()[0]}: {len(calls)} calls of repr()")
assert (len(calls) > 0) == (sys.version_info < (3, 13)), calls
PYTHON
done
