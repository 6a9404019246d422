"""Finds revisions that are near the app, but not in its script directory.

Relative folders start at the app's root, while those of Alembic and Flask-Migrate start
at the working directory. A script directory that has revisions is never searched
around.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import os
import typing as t

from ..errors import ScriptLocationError
from ..history.listing import Folders
from ..history.reading import assigns_revision
from .option_files import read_files
from .option_parsing import OptionFile

if t.TYPE_CHECKING:
    from .settings import Settings

#: What Flask-Migrate and Alembic's tutorial call the script directory.
_USUAL_NAMES = ("migrations", "alembic")


def find_nearby(settings: Settings) -> str | None:
    """Return a script directory near the app that has revisions, if the app's own has
    none.

    :param settings: The app's settings. A script location that is absolute, such as
        ``%(here)s/migrations``, is certain, so that nothing is searched.
    """
    own = settings.script_location

    is_recursive = bool(settings.option("recursive_version_locations"))
    folders = Folders(own, tuple(settings.version_locations), recursive=is_recursive)

    if settings.has_absolute_location or _lists_revisions(folders):
        return None

    for folder in _script_directories(settings):
        if os.path.realpath(folder) != os.path.realpath(own) and _has_revisions(folder):
            return folder

    return None


def check_nearby(settings: Settings) -> None:
    """Check that a script directory without revisions is not the wrong one.

    :param settings: The app's settings.
    :raises ScriptLocationError: If there are revisions near it.
    """
    if found := find_nearby(settings):
        relative = os.path.relpath(found, settings.root_path).replace(os.sep, "/")
        raise ScriptLocationError(settings.script_location, found, relative)


def env_py_files(settings: Settings) -> c.Iterator[str]:
    """Yield each ``env.py`` that is for the app's revisions: in the script directory,
    or in one near it that has no revisions of its own.
    """
    own = os.path.realpath(settings.script_location)
    above = [os.path.dirname(own)] if os.path.basename(own) == "versions" else []
    seen: set[str] = set()

    for folder in [own, *above, *_script_directories(settings)]:
        path = os.path.join(os.path.realpath(folder), "env.py")
        is_own = folder in {own, *above}

        if path not in seen and os.path.isfile(path):
            seen.add(path)

            if is_own or not _has_revisions(folder):
                yield path


def _script_directories(settings: Settings) -> c.Iterator[str]:
    """Yield folders that may be a script directory, the likeliest first."""
    folders = dict.fromkeys(_folders(settings.root_path))

    for folder in folders:
        for path, text in read_files(folder).items():
            for _, location in OptionFile(path, text).script_locations():
                yield os.path.normpath(location)

    if settings.migrate.directory:
        yield os.path.abspath(settings.migrate.directory)

    names = [os.path.basename(settings.script_location), *_USUAL_NAMES]

    for folder in folders:
        for name in dict.fromkeys(names):
            yield os.path.join(folder, name)


def _folders(root: str) -> c.Iterator[str]:
    """Yield the folders that a project's files may be in."""
    root = os.path.abspath(root)
    parent = os.path.dirname(root)

    with contextlib.suppress(FileNotFoundError):
        yield os.getcwd()

    yield from (parent, root)

    if os.path.basename(parent) == "src":
        yield os.path.dirname(parent)


def _has_revisions(folder: str) -> bool:
    return _lists_revisions(Folders(folder))


def _lists_revisions(folders: Folders) -> bool:
    return any(map(assigns_revision, folders.list_files()))
