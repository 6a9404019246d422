"""Finds the options in an ``alembic.ini``, or in ``[tool.alembic]`` of a
``pyproject.toml``.

A file is parsed only if it mentions an option that is needed, as most processes need
none.
"""

from __future__ import annotations

import collections.abc as c
import os
import typing as t

#: Options that decide which revisions there are.
LISTING_OPTIONS = (
    "version_locations",
    "recursive_version_locations",
    "sourceless",
    "output_encoding",
    "prepend_sys_path",
)
#: How many folders are searched: the script directory, and some above it.
_HEIGHT = 5


def options_around(
    folder: str, keys: tuple[str, ...] | None = None
) -> tuple[dict[str, t.Any], dict[str, str]]:
    """Return the options for a script directory, from its own folder and the folders
    above it. The nearest one counts.

    :param folder: The absolute path of the script directory.
    :param keys: The options that are needed; all, if omitted.
    :return: The options, and the path of the file that each is from.
    """
    options: dict[str, t.Any] = {}
    places: dict[str, str] = {}

    for texts in _texts_around(folder):
        if keys is not None and not any(
            _mentions(text, keys) for text in texts.values()
        ):
            continue

        from .option_parsing import files_about

        for file, section in files_about(texts, folder).items():
            for key, value in file.options(section).items():
                if key not in options and (keys is None or key in keys):
                    options[key] = value
                    places[key] = file.path

    return options, places


def read_files(folder: str) -> dict[str, str]:
    """Return the contents of the files of a folder that may have options for Alembic,
    by their paths.
    """
    found: dict[str, str] = {}

    for name, marker in ("alembic.ini", ""), ("pyproject.toml", "tool.alembic"):
        path = os.path.join(folder, name)

        if not os.path.exists(path):
            continue

        try:
            with open(path, "rb") as file:
                text = file.read().decode("utf-8", "replace").replace("\r\n", "\n")
        except OSError:
            # It may belong to another user, as it may be in a folder far above.
            continue

        if marker in text:
            found[path] = text

    return found


def _texts_around(folder: str) -> c.Iterator[dict[str, str]]:
    path = os.path.normpath(folder)

    for _ in range(_HEIGHT):
        if texts := read_files(path):
            yield texts

        path = os.path.dirname(path)


def _mentions(text: str, keys: tuple[str, ...]) -> bool:
    """Whether one of the options may be set."""
    return any(line.lstrip().startswith(keys) for line in text.splitlines())
