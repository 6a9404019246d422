"""Draw the history beside the list of its revisions, as ``git log --graph`` does."""

from __future__ import annotations

import collections.abc as c
import typing as t

if t.TYPE_CHECKING:
    from alembic.script import Script


def draw(
    scripts: c.Sequence[Script], describe: c.Callable[[Script], str]
) -> c.Iterator[str]:
    """Yield the lines of a graph.

    :param scripts: The revisions, each before its parents.
    :param describe: Returns the text beside a revision.
    """
    shown = {script.revision for script in scripts}
    #: The revision that each line of the graph leads down to, from left to right.
    lanes: list[str] = []
    #: Where the last line was, if a revision without parents has just ended it.
    ended: int | None = None

    for script in scripts:
        if script.revision not in lanes:
            if ended == len(lanes):
                # Without a gap, the revision would look like the parent of the other.
                yield ("| " * len(lanes)).rstrip()

            lanes.append(script.revision)

        at = lanes.index(script.revision)
        yield from _join(lanes, at)
        parents = [parent for parent in _parents(script) if parent in shown]
        first, *others = describe(script).splitlines()
        yield f"{_bars(lanes, at, '*')}{first}"

        for text in others:
            yield f"{_bars(lanes, at, '|' if parents else ' ')}{text}".rstrip()

        yield from _go_on(lanes, at, parents)
        ended = at if not parents else None


def _parents(script: Script) -> tuple[str, ...]:
    parents = script.down_revision
    return (parents,) if isinstance(parents, str) else tuple(parents or ())


def _bars(lanes: list[str], at: int, mark: str) -> str:
    return "".join(f"{mark if lane == at else '|'} " for lane in range(len(lanes)))


def _join(lanes: list[str], at: int) -> c.Iterator[str]:
    """Lead the lines of all children of a revision together."""
    while (last := len(lanes) - 1 - lanes[::-1].index(lanes[at])) > at:
        crossed, right = last - at - 1, len(lanes) - last - 1
        yield "| " * at + "|" + "_|" * crossed + "/" + " /" * right
        del lanes[last]


def _go_on(lanes: list[str], at: int, parents: list[str]) -> c.Iterator[str]:
    """Lead the line of a revision on to its parents, or end it."""
    lanes[at : at + 1] = parents[:1]

    if not parents and lanes[at:]:
        yield "| " * at + " /" * len(lanes[at:])

    for lane, parent in enumerate(parents[1:], at + 1):
        yield "| " * (lane - 1) + "|\\" + " \\" * (len(lanes) - lane)
        lanes.insert(lane, parent)
