"""Temporary database files."""

from __future__ import annotations

import contextlib
import os
import tempfile


def create_file(name: str) -> str:
    """Create an empty database in a temporary file, and return its path."""
    handle, path = tempfile.mkstemp(".db", f"{name}_")
    os.close(handle)
    return path


def remove_file(path: str) -> None:
    """Remove a database file, and what SQLite keeps beside it."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")
