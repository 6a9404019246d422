"""The files of ``db init --env-py``, for tools that execute an ``env.py``."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

from ..errors import ConfigurationError

if t.TYPE_CHECKING:
    from types import ModuleType

    from flask.sansio.app import App

    from .settings import Settings

#: The names that Flask and Quart look for.
_FACTORIES = ("create_app", "make_app")


class EnvPyFiles(t.NamedTuple):
    """An ``env.py`` that calls :func:`.run_env_py`, and an ``alembic.ini`` that says
    where it is.

    :param module: The module that has the app.
    :param name: The name of the app in it, or of a function that makes the app.
    :param is_factory: Whether it is a function.
    :param folder: The folder from which the module is imported.
    """

    module: str
    name: str
    is_factory: bool
    folder: str

    @classmethod
    def of(cls, app: App) -> EnvPyFiles:
        """Return those of an app.

        :raises ConfigurationError: If the module of the app does not have it.
        """
        module = sys.modules.get(app.import_name)
        names = vars(module) if module else {}
        variables = [name for name, value in names.items() if value is app]
        factories = [name for name in _FACTORIES if callable(names.get(name))]

        if module is None or not variables and not factories:
            raise ConfigurationError(
                f"The module '{app.import_name}' has neither the app nor a function"
                " 'create_app', so 'env.py' cannot import the app. Write an 'env.py'"
                " that makes the app and calls 'async_alembic.run_env_py(app)'."
            )

        name = [*variables, *factories][0]
        return cls(app.import_name, name, not variables, _folder_of(module))

    def contents(self, settings: Settings) -> dict[Path, bytes]:
        """Return the contents of the files, by path.

        :raises ConfigurationError: If Alembic would take ``env.py`` for a revision.
        """
        folder = Path(settings.script_location)
        revisions = [path.name for path in folder.glob("*.py") if path.name != "env.py"]

        if others := sorted({*revisions} - {"__init__.py"}):
            raise ConfigurationError(
                f"'{folder / others[0]}' is a revision beside 'env.py', which Alembic"
                f" itself does not find. Move the revisions to '{folder / 'versions'}'"
                " first."
            )

        return {
            folder / "env.py": self._env_py().encode(),
            folder / "versions" / ".gitkeep": b"",
            Path("alembic.ini").absolute(): self._ini(settings).encode(),
        }

    def _env_py(self) -> str:
        app = f"{self.name}()" if self.is_factory else self.name
        imports = [
            "from async_alembic import run_env_py",
            f"from {self.module} import {self.name}",
        ]
        return "\n".join([*imports, "", f"run_env_py({app})", ""])

    def _ini(self, settings: Settings) -> str:
        folder = _from_here(settings.script_location)
        lines = [
            "[alembic]",
            f"script_location = {folder}",
            f"prepend_sys_path = {_from_here(self.folder)}",
            "path_separator = newline",
        ]

        if others := settings.version_locations:
            folders = [f"{folder}/versions", *map(_from_here, others)]
            lines += ["version_locations =", *(f"    {path}" for path in folders)]

        return "\n".join([*lines, ""])


def _folder_of(module: ModuleType) -> str:
    path = Path(module.__file__ or "").absolute()
    levels = module.__name__.count(".") + hasattr(module, "__path__")
    return str(path.parents[levels])


def _from_here(path: str) -> str:
    relative = os.path.relpath(path).replace(os.sep, "/")
    return "%(here)s" if relative == "." else f"%(here)s/{relative}"
