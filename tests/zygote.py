"""A process that forks others, for tests of what happens to a whole process.

It has imported everything, and has one thread and no connections, neither of which can
be said of the process that runs the tests. Nothing here may need pytest, as the
benchmarks use it too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from typing import Self

ROOT = Path(__file__).parent.parent


class Zygote:
    """The process, as seen from the one that asks. It ends with the ``with`` block, or
    when that process ends.

    :param module: What is run. It reads a line of JSON for each question, and answers
        with one.
    """

    def __init__(self, module: str) -> None:
        # Since Python 3.12, a fork beside a thread is a warning.
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", module],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate()

    def ask(self, question: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "The zygote has ended."
        return json.loads(answer)
