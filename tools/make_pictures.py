"""Generate the pictures of the documentation, ``docs/pictures/*.svg``.

They take their numbers from ``benchmarks/RESULTS.md``, and their colours from the theme
of whoever looks at them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
WIDTH = 640

STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 12px; fill: #57606a }
.line { stroke: #57606a; fill: none }
.ours { fill: #1a7f37 }
.theirs { fill: #57606a }
.waits { fill: #8a6100 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9ea7b3 }
  .line { stroke: #9ea7b3 }
}
text.on { fill: #ffffff }
""".strip()


class Measured(NamedTuple):
    """A row of a table of results."""

    name: str
    value: float
    shown: str


def svg(title: str, height: int, *parts: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n'
        f"<style>\n{STYLE}\n</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    class_ = f' class="{kind}"' if kind else ""
    place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return f"<text {place}{class_}>{escape(words)}</text>"


def bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3"'
        f' class="{kind}"/>'
    )


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="line" d="M{x1:g} {y1:g} L{x2:g} {y2:g}"/>'


def workers_at_boot() -> str:
    """One of ten workers migrates, and the others wait."""
    title = "Ten workers start: one migrates, nine wait, and all serve"
    left, top, step = 90, 44, 26
    parts = [text(0, 18, title)]

    for number in range(1, 11):
        y = top + step * (number - 1)
        migrates = number == 3
        began = left + 7 * ((number * 7) % 5)
        kind = "ours" if migrates else "waits"
        words = "has the lock, applies the revisions" if migrates else "waits"
        serves = "serves" if migrates else "nothing to do, serves"
        found = 390 + 5 * ((number * 3) % 4)
        ends = 380 if migrates else found
        parts += [
            text(0, y + 14, f"worker {number}"),
            bar(began, y, ends - began, 19, kind),
            text(began + 8, y + 14, words, "on"),
            bar(ends + 2, y, 618 - ends, 19, "theirs"),
            text(ends + 10, y + 14, serves, "on"),
        ]

    bottom = top + step * 10
    parts += [
        line(left, bottom + 4, 620, bottom + 4),
        text(620, bottom + 20, "time", "small", "end"),
    ]
    return svg(title, bottom + 28, *parts)


def bars(title: str, rows: list[Measured], is_ours: Callable[[str], bool]) -> str:
    """A plot of rows, the longest of which is as wide as the picture."""
    most = max(row.value for row in rows)
    parts = [text(0, 18, title)]

    for number, row in enumerate(rows):
        y = 40 + 48 * number
        kind = "ours" if is_ours(row.name) else "theirs"
        width = max(3.0, 520 * row.value / most)
        parts += [
            text(0, y + 10, row.name, "small"),
            bar(0, y + 16, round(width, 1), 16, kind),
            text(round(width, 1) + 8, y + 29, row.shown),
        ]

    return svg(title, 40 + 48 * len(rows), *parts)


def results_of(title: str, column: int = 0) -> list[Measured]:
    """Return the rows of a table of results.

    :param title: The title of the table.
    :param column: The number of the column, after the names.
    """
    _, _, rest = RESULTS.read_text().partition(f"\n## {title}\n")
    table, _, _ = rest.partition("\n## ")
    rows = []

    for row in re.findall(r"^\| (.+) \|$", table, re.MULTILINE):
        name, *cells = row.split(" | ")
        found = re.match(r"([\d.,]+) (?:ms|s|MB)$", cells[column])

        if found:
            value = float(found[1].replace(",", ""))
            rows.append(Measured(name, value, cells[column]))

    return rows


def at_head() -> str:
    rows = results_of("process start to nothing to do, 30 revisions")
    title = "CPU time of a process that finds nothing to do, 30 revisions"
    return bars(title, rows, lambda name: name.startswith("async-alembic"))


PICTURES: Mapping[str, Callable[[], str]] = {
    "workers-at-boot": workers_at_boot,
    "at-head": at_head,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)

    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw())


if __name__ == "__main__":
    main()
