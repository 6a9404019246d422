"""Generate the pictures of the documentation, ``docs/pictures/*.svg``.

They take their numbers from ``benchmarks/RESULTS.md`` and from the table of faults in
``docs/explanation/guarantees.md``, and their colours from the theme of whoever looks
at them. Each has a background of its own, as the theme of the page can be another one.
They are as narrow as a phone, on which their text is to be read.
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
FAULTS = ROOT / "docs" / "explanation" / "guarantees.md"
MARGIN = 14
#: Of what is drawn, and of the whole picture as it is shown where there is room.
WIDTH, SHOWN_WIDTH = 372, 520

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.small { font-size: 12px; fill: #57606a }
.line { stroke: #57606a; fill: none }
.paper { fill: #ffffff; stroke: #d0d7de }
.box { fill: #f6f8fa; stroke: #57606a }
.ours { fill: #1a7f37; stroke: none }
.theirs { fill: #57606a }
.waits { fill: #8a6100 }
.half { fill: #a40e26 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9ea7b3 }
  .line { stroke: #9ea7b3 }
  .paper { fill: #131416; stroke: #3d444d }
  .box { fill: #1f242b; stroke: #9ea7b3 }
}
text.on { fill: #ffffff }
""".strip()


class Measured(NamedTuple):
    """A row of a table of results."""

    name: str
    value: float
    shown: str


def svg(title: str, height: float, *parts: str) -> str:
    """Return a picture.

    :param title: Is shown above what is drawn, where the first 28 units are left free.
    """
    width, height = WIDTH + 2 * MARGIN, height + 2 * MARGIN
    shown_height = round(SHOWN_WIDTH * height / width)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' width="{SHOWN_WIDTH}" height="{shown_height}"'
        f' role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n'
        f"<style>\n{STYLE}\n</style>\n"
        f'<rect x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="8"'
        ' class="paper"/>\n'
        f'<g transform="translate({MARGIN} {MARGIN})">\n'
        + "\n".join([text(0, 14, title, "title"), *parts])
        + "\n</g>\n</svg>\n"
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


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """An arrow to the right or down."""
    head = "l-5 -3 m5 3 l-5 3" if y1 == y2 else "l-3 -5 m3 5 l3 -5"
    return f'<path class="line" d="M{x1:g} {y1:g} L{x2:g} {y2:g} {head}"/>'


def box(x: float, y: float, width: float, *lines: str, kind: str = "box") -> str:
    """A box of 20 units for each line and 8 around them."""
    on = "on" if kind == "ours" else ""
    words = [
        text(x + width / 2, y + 18 + 20 * number, words, on, "middle")
        for number, words in enumerate(lines)
    ]
    return "\n".join([bar(x, y, width, 20 * len(lines) + 8, kind), *words])


def legend(y: float, *entries: tuple[str, str]) -> list[str]:
    parts = []

    for number, (kind, words) in enumerate(entries):
        parts += [
            bar(0, y + 20 * number, 14, 12, kind),
            text(22, y + 11 + 20 * number, words, "small"),
        ]

    return parts


def await_upgrade() -> str:
    """What a call does, from its start to its end."""
    title = "await alembic.upgrade()"
    steps = [
        (0, "Reads the headers of the revision files, in a thread"),
        (0, "Asks the database at which revision it is"),
        (0, "Connects a session of its own, past the pool"),
        (0, "Takes the lock with it, or waits for it"),
        (0, "Looks again where the database is"),
        (1, "Runs the revisions: the event loop goes on"),
        (0, "Commits. The lock ends, and the session"),
        (0, "The pools of the app replace their connections"),
    ]
    parts = []

    for number, (is_ours, words) in enumerate(steps):
        # After the second one, there is a way out.
        y = 30 + 46 * number + (34 if number > 1 else 0)
        parts.append(box(0, y, WIDTH, words, kind="ours" if is_ours else "box"))

        if number:
            above = y - 52 if number == 2 else y - 18
            parts.append(arrow(40, above, 40, y - 2))

    parts += [
        text(50, 126, "there is something to do", "small"),
        arrow(300, 104, 300, 120),
        text(300, 136, "at head: returns []", "", "middle"),
    ]
    return svg(title, 30 + 46 * len(steps) + 20, *parts)


def workers_at_boot() -> str:
    """One of ten workers migrates, and the others wait."""
    left, top, step = 68, 34, 24
    parts = []

    for number in range(1, 11):
        y = top + step * (number - 1)
        migrates = number == 3
        began = left + 5 * ((number * 7) % 5)
        found = 240 + 5 * ((number * 3) % 4)
        ends = 232 if migrates else found
        parts += [
            text(0, y + 14, f"worker {number}"),
            bar(began, y, ends - began, 18, "ours" if migrates else "waits"),
            text(began + 8, y + 14, "migrates" if migrates else "waits", "on"),
            bar(ends + 2, y, WIDTH - ends - 2, 18, "theirs"),
            text(ends + 10, y + 14, "serves", "on"),
        ]

    bottom = top + step * 10
    parts += [
        arrow(left, bottom + 6, WIDTH, bottom + 6),
        text(WIDTH, bottom + 22, "time", "small", "end"),
        *legend(
            bottom + 32,
            ("ours", "has the lock, and applies the revisions"),
            ("waits", "waits, then looks again and finds nothing to do"),
        ),
    ]
    title = "Ten workers start: one migrates, nine wait"
    return svg(title, bottom + 70, *parts)


def in_between() -> str:
    """What can stand between an app and its database, and what the lock is there."""
    rows = [
        ("nothing", "PostgreSQL", "an advisory lock of the session that migrates"),
        ("nothing", "MariaDB, MySQL", "GET_LOCK of the session that migrates"),
        ("PgBouncer", "PostgreSQL", "transaction mode: a lock of each transaction"),
        ("HAProxy", "a server", "the same as without it: idle timeouts do no harm"),
        ("Pgpool", "a primary", "what decides is read on the primary, not a standby"),
        ("a balancer", "Galera nodes", "a lease: a row with its owner and a heartbeat"),
    ]
    parts = []

    for number, (between, server, lock) in enumerate(rows):
        y = 30 + 68 * number
        parts.append(box(0, y, 72, "worker"))

        if between == "nothing":
            parts.append(arrow(72, y + 14, 246, y + 14))
        else:
            parts += [
                arrow(72, y + 14, 106, y + 14),
                box(108, y, 104, between),
                arrow(212, y + 14, 246, y + 14),
            ]

        parts += [
            box(248, y, WIDTH - 248, server, kind="ours"),
            text(WIDTH, y + 46, lock, "small", "end"),
        ]

    return svg("Where the lock is", 30 + 68 * len(rows) - 10, *parts)


#: Where a fault can leave the database, by how the cells of the table begin.
OUTCOMES = {
    "base": ("theirs", "as before: nothing was applied"),
    "a5": ("ours", "at the last revision: the fault came after the commit"),
    "between": ("half", "in the midst of a revision: recorded, can be resumed"),
    "a": ("waits", "at a revision on the way, which is complete"),
}


def faults() -> list[tuple[str, dict[str, int]]]:
    """Return where the faults left the database, for each way to connect."""
    _, _, rest = FAULTS.read_text().partition("\n## The number of faults\n")
    table, _, _ = rest.partition("\n## ")
    found = []

    for row in re.findall(r"^\| (\w.+) \|$", table, re.MULTILINE):
        name, *cells = row.split(" | ")
        counts = dict.fromkeys(OUTCOMES, 0)

        for cell in cells:
            _, _, outcomes = cell.partition(": ")

            for where, count in re.findall(r"([a-z][\w ]*) (\d+)(?:,|$)", outcomes):
                key = next(key for key in OUTCOMES if where.startswith(key))
                counts[key] += int(count)

        found.append((name, counts))

    return found


def fault_campaign() -> str:
    parts = []
    rows = faults()
    most = max(sum(counts.values()) for _, counts in rows)
    total = sum(sum(counts.values()) for _, counts in rows)
    drawn = ["base", "a", "between", "a5"]

    for number, (name, counts) in enumerate(rows):
        x, y = 0.0, 34 + 38 * number
        parts += [
            text(0, y + 10, name, "small"),
            text(WIDTH, y + 10, f"{sum(counts.values())} faults", "small", "end"),
        ]

        for key in drawn:
            width = WIDTH * counts[key] / most

            if width:
                parts.append(
                    bar(round(x, 1), y + 15, round(width, 1), 14, OUTCOMES[key][0])
                )
                x += width

    bottom = 34 + 38 * len(rows) + 6
    parts += legend(bottom, *(OUTCOMES[key] for key in drawn))
    title = f"{total:,} faults, and where each left the database"
    return svg(title, bottom + 80, *parts)


def bars(title: str, *groups: tuple[str, list[Measured]]) -> str:
    """A plot of rows. The longest one of each group is as wide as the picture.

    :param groups: What was measured, empty if the title says it, and its rows.
    """
    parts = []
    y = 28

    for words, rows in groups:
        most = max(row.value for row in rows)

        if words:
            parts.append(text(0, y + 18, words))
            y += 24

        for row in rows:
            kind = "ours" if row.name.startswith(("async-al", "async_al")) else "theirs"
            width = round(max(3.0, 290 * row.value / most), 1)
            parts += [
                text(0, y + 12, row.name.replace("`", ""), "small"),
                bar(0, y + 17, width, 14, kind),
                text(width + 8, y + 29, row.shown),
            ]
            y += 40

        y += 6

    return svg(title, y, *parts)


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


def medians_of(title: str) -> list[Measured]:
    return results_of(title, 1)


def at_head() -> str:
    start = "process start to nothing to do, 30 revisions"
    title = "A process that finds nothing to do, 30 revisions"
    return bars(
        title,
        ("CPU time, beyond the app itself", results_of(start)),
        ("Memory, beyond the app itself", results_of(start, 1)),
        ("Importing it", medians_of("import beside `flask` and `sqlalchemy`")),
    )


def from_empty() -> str:
    start = "1,000 revisions from empty"
    return bars(
        "1,000 revisions from empty, median",
        ("PostgreSQL", medians_of(f"{start}, PostgreSQL")),
        ("SQLite, in a file", medians_of(f"{start}, SQLite")),
    )


def stalls() -> str:
    start = "longest stall,"
    return bars(
        "The longest stall of the event loop, median",
        (
            "await upgrade() of 1,000 revisions",
            medians_of(f"{start} `await upgrade()` of 1,000 revisions"),
        ),
        (
            "The first call of a process, at head",
            medians_of(
                f"{start} first call of a process: `await upgrade()` at head,"
                " 1,000 revisions"
            ),
        ),
        (
            "await revision() with 200 tables",
            medians_of(f"{start} `await revision()` with 200 tables"),
        ),
    )


PICTURES: Mapping[str, Callable[[], str]] = {
    "at-head": at_head,
    "await-upgrade": await_upgrade,
    "fault-campaign": fault_campaign,
    "from-empty": from_empty,
    "in-between": in_between,
    "stalls": stalls,
    "workers-at-boot": workers_at_boot,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)

    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw())


if __name__ == "__main__":
    main()
