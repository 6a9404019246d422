"""The revision files of another commit, as Git has them."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import typing as t
from pathlib import Path

from . import Impossible

if t.TYPE_CHECKING:
    from ...apps.settings import Settings


def export_release(settings: Settings, ref: str, folder: Path) -> dict[str, object]:
    """Write the files of a commit to a folder.

    :param settings: Where the files are now.
    :param ref: A tag, a branch or a commit.
    :param folder: The folder, which is empty.
    :return: The settings of ``ALEMBIC`` that lead there.
    :raises Impossible: If Git does not know it.
    """
    main = folder / "main"
    _export(settings.script_location, ref, main)
    others = []

    for number, location in enumerate(settings.version_locations):
        # Not every folder needs to have been there.
        others.append(os.fspath(folder / str(number)))
        _export(location, ref, folder / str(number))

    return {"script_location": os.fspath(main), "version_locations": others}


def _export(location: str, ref: str, folder: Path) -> None:
    # Within a folder, this is about that folder.
    done = subprocess.run(
        ["git", "archive", "--format=tar", f"{ref}^{{commit}}"],
        cwd=location,
        capture_output=True,
    )
    folder.mkdir()

    if b"is untracked" in done.stderr:
        return

    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise Impossible(f"Git has no files of '{ref}': {reason}")

    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
