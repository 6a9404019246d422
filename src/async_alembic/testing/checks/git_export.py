"""Export of the revision files of another Git commit."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import typing as t
from pathlib import Path

from . import CheckSkippedError

if t.TYPE_CHECKING:
    from ...apps.settings import Settings


def export_release(settings: Settings, ref: str, folder: Path) -> dict[str, object]:
    """Write the revision files of a commit to a folder.

    :param settings: The settings, with the current folders.
    :param ref: A tag, a branch or a commit.
    :param folder: An empty folder.
    :return: The ``ALEMBIC`` settings for the exported files.
    :raises CheckSkippedError: If Git cannot export the commit.
    """
    main = folder / "main"
    _export(settings.script_location, ref, main)
    others = []

    for number, location in enumerate(settings.version_locations):
        # The commit may not have every folder.
        others.append(os.fspath(folder / str(number)))
        _export(location, ref, folder / str(number))

    return {"script_location": os.fspath(main), "version_locations": others}


def _export(location: str, ref: str, folder: Path) -> None:
    # In a subfolder, 'git archive' exports that folder only.
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
        raise CheckSkippedError(f"Git cannot export the files of '{ref}': {reason}")

    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
