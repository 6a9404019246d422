"""Replaces a file at once, so that nobody reads half of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile


def replace_file(path: str, content: bytes) -> None:
    """Write a file, or leave it as it was.

    :param path: The path of the file, which need not exist. It keeps its permissions.
    :param content: The new content.
    """
    folder, name = os.path.split(path)
    # Not the name of a revision, which another process might read.
    number, temporary = tempfile.mkstemp(".tmp", f".{name}.", folder)

    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)

        if os.path.exists(path):
            shutil.copymode(path, temporary)
        else:
            os.chmod(temporary, 0o666 & ~_umask())

        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)

        raise


def _umask() -> int:
    # It can only be read by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
