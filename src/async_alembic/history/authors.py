"""Who added the revision files, according to Git."""

from __future__ import annotations

import collections.abc as c
import datetime as dt
import os
import typing as t

from .git import run_git


class Commit(t.NamedTuple):
    """The commit that has added a file.

    :param author: The name of its author.
    :param date: When it was written.
    """

    author: str
    date: dt.datetime


def find_commits(paths: c.Iterable[str]) -> dict[str, Commit]:
    """Return the commit that has added each file; none where Git does not know it, or
    is not installed.

    :param paths: The paths of the files.
    """
    by_folder: dict[str, list[str]] = {}

    for path in paths:
        by_folder.setdefault(os.path.dirname(path), []).append(os.path.basename(path))

    return {
        os.path.join(folder, name): commit
        for folder, names in by_folder.items()
        for name, commit in _find_in(folder, names)
    }


def _find_in(folder: str, names: list[str]) -> c.Iterator[tuple[str, Commit]]:
    options = ["--diff-filter=A", "--name-only", "--relative", "-z"]
    options += ["--format=%x01%an%x02%aI%x02"]
    log = run_git(folder, "log", *options, "--", *names) or ""

    for entry in log.split("\1")[1:]:
        author, date, files = entry.split("\2")

        for name in files.split("\0"):
            if name := name.strip():
                yield name, Commit(author, dt.datetime.fromisoformat(date))
