"""Paths in settings."""

from __future__ import annotations

import os

from ..errors import ConfigurationError


def absolute_path(path: str | os.PathLike[str], folder: str) -> str:
    """Return a path from a setting as an absolute path.

    :param path: An absolute path, ``package:folder``, or a relative path.
    :param folder: Where relative paths start, which ``%(here)s`` stands for.
    :raises ConfigurationError: If the package cannot be imported.
    """
    import importlib.resources

    path = os.fspath(path).replace("%(here)s", folder)
    package, colon, inner = path.partition(":")

    if os.path.isabs(path) or not colon:
        return os.path.join(folder, path)

    try:
        return str(importlib.resources.files(package).joinpath(inner))
    except (ImportError, ValueError) as e:
        raise ConfigurationError(
            f"The folder '{path}' in app.config['ALEMBIC'] needs the package"
            f" '{package}', which cannot be imported: {e}. Correct the name, or"
            " install the package."
        ) from e
