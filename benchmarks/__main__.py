"""All benchmarks that compare times, into ``RESULTS.md``.

Run it with ``python -m benchmarks``, with the number of runs, or with ``--quick``,
which measures too little to be kept.
"""

from __future__ import annotations

import sys

from . import at_head
from . import cli
from . import comparing
from . import importing
from . import loop
from . import many
from . import migrating
from . import streaming
from . import tenants
from . import testkit
from .hot_spots import profile
from .results import document
from .results import main
from .results import RESULTS
from .results import scale_of

BENCHMARKS = [
    importing,
    at_head,
    migrating,
    streaming,
    loop,
    comparing,
    many,
    tenants,
    cli,
    testkit,
]

if __name__ == "__main__":
    scale = scale_of(sys.argv[1:])
    tables = main(*(module.benchmark for module in BENCHMARKS))
    text = document(tables, profile(scale.large))

    if sys.argv[1:] == ["--quick"]:
        print(f"\n{text}")
    else:
        RESULTS.write_text(text)
