"""What git knows: which revision files are in which commit, and what is checked out."""

from __future__ import annotations

import collections.abc as c
import os
import subprocess

#: How long git may take, in seconds.
TIMEOUT = 5.0
#: What is there while commits are replayed, as by 'git rebase' and 'git cherry-pick'.
_REPLAYING = ("rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD")


class Repository:
    """The git repository of a folder, if it is in one.

    :param folder: The folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def choose(self, paths: c.Collection[str]) -> str | None:
        """Return the one of these files that comes from others, and not from the
        user's own work; ``None`` if git does not know.

        :param paths: The paths of files in the folder.
        """
        for commit in self._others():
            tracked = self._files_of(commit)
            found = [path for path in paths if path in tracked]

            if len(found) == 1:
                return found[0]

            if found and commit == "origin/HEAD":
                # All of them were published.
                return None

        return None

    def _others(self) -> c.Iterator[str]:
        """Yield commits that have the work of others, the most certain one first."""
        if self._git("rev-parse", "--verify", "--quiet", "MERGE_HEAD"):
            # What was published stays, also where a branch is merged into the main one.
            yield "origin/HEAD"
            yield "MERGE_HEAD"
            return

        # What is not committed yet is the user's own. While commits are replayed, these
        # are.
        yield "HEAD"

        if not any(map(self._has, _REPLAYING)):
            yield "origin/HEAD"
            # What was merged last.
            yield "HEAD^2"

            if self._git("merge-base", "--is-ancestor", "@{upstream}", "HEAD") == "":
                yield "@{upstream}"

    def _has(self, name: str) -> bool:
        path = self._git("rev-parse", "--git-path", name)
        return path is not None and os.path.exists(os.path.join(self._folder, path))

    def _files_of(self, commit: str) -> set[str]:
        """Return the real paths of the files of a commit that are in the repository."""
        top = self._git("rev-parse", "--show-toplevel")
        listed = self._git("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)

        if top is None or listed is None:
            return set()

        root = os.path.realpath(top)
        return {os.path.join(root, name) for name in listed.split("\0")}

    def _git(self, *args: str) -> str | None:
        return run_git(self._folder, *args)


def run_git(folder: str, *args: str) -> str | None:
    """Return what git prints.

    :param folder: The folder to run it in.
    :param args: The arguments.
    :return: ``None`` if it fails, takes longer than :data:`TIMEOUT`, or is not
        installed.
    """
    try:
        done = subprocess.run(
            ["git", *args],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None

    return None if done.returncode else os.fsdecode(done.stdout).rstrip("\n")
