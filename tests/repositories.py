"""Git repositories whose branches add revisions."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .conftest import require

_ENVIRON = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
    },
}


class Repository:
    """A repository whose main branch is ``main``.

    :param root: Its folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        self("init", "--quiet", "--initial-branch", "main")

    def __call__(self, *args: str, fails: bool = False) -> str:
        """Run git.

        :param fails: Whether it has to fail.
        :return: What it prints.
        """
        try:
            done = subprocess.run(
                ["git", "-c", "core.editor=true", *args],
                cwd=self.root,
                env={**os.environ, **_ENVIRON},
                capture_output=True,
                text=True,
            )
        except FileNotFoundError:
            require("'git' is not installed.")
            raise

        assert bool(done.returncode) is fails, done.stdout + done.stderr
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        self("add", "--all")
        self("commit", "--quiet", "--message", message)
