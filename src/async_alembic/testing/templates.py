"""What a template is made of, and what tells it from others."""

from __future__ import annotations

import collections.abc as c
import hashlib
import importlib.metadata
import os
import typing as t
from pathlib import Path

from ..dialects import digest

if t.TYPE_CHECKING:
    from ..project import Project
    from ..revisions import StepTarget


def project_of(project: Project, target: StepTarget) -> str:
    """8 hexadecimal digits: those of a history, whatever is in it.

    :param project: The files.
    :param target: How far it is applied.
    """
    return digest(os.path.realpath(project.settings.script_location), str(target))[:8]


def key_of(project: Project, target: StepTarget, version: str) -> str:
    """16 hexadecimal digits: others if a file changes that a revision can be made of, a
    setting, the target, the server, or a version of what applies it.

    :param project: The files.
    :param target: How far it is applied.
    :param version: The version of the server.
    """
    seen = hashlib.blake2b(digest_size=8)
    roots = {path.resolve() for path in project.scripts.directories}

    for path in sorted({path for root in roots for path in _files_in(root)}):
        name = os.path.relpath(path, project.settings.script_location)
        seen.update(_framed(name.encode()))
        seen.update(_framed(path.read_bytes()))

    versions = map(importlib.metadata.version, ["async-alembic", "alembic"])

    for text in (str(target), version, *_plain_settings(project), *versions):
        seen.update(_framed(text.encode()))

    return seen.hexdigest()


def _files_in(folder: Path) -> c.Iterator[Path]:
    """All files, as a revision may read others than Python's."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_file() and path.suffix != ".pyc":
            yield path


def _plain_settings(project: Project) -> c.Iterator[str]:
    """Those that say the same in every process, unlike a function."""
    settings = project.settings

    for options in settings.options, settings.context_options():
        for name, value in sorted(options.items()):
            # The URL is another one for each database.
            if isinstance(value, (str, int)) and not name.startswith("sqlalchemy."):
                yield f"{name}={value}"


def _framed(data: bytes) -> bytes:
    """So that what follows cannot be taken for a part of it."""
    return len(data).to_bytes(8) + data
