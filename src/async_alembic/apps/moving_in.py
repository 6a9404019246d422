"""Plans how an app moves in: its settings instead of what its ``env.py``, its
``alembic.ini`` and Flask-Migrate say.
"""

from __future__ import annotations

import collections.abc as c
import os
import typing as t

from ..errors import ConfigurationError
from ..errors import first_line
from ..results import MoveIn
from .nearby import env_py_files
from .nearby import find_nearby
from .settings import Settings
from .settings_code import relative_path
from .settings_code import SettingsCode

#: The file that the settings are written to, in the app's root folder.
FILE_NAME = "alembic_settings.py"


class Move(t.NamedTuple):
    """The settings of an app that moves in.

    :param source: The code of the settings; empty if there is nothing to set.
    :param by_hand: What cannot be carried over, and where it stands.
    :param before: The app's config with the script location only.
    :param after: The app's config with the settings.
    :param is_valid: Whether the code runs.
    """

    source: str
    by_hand: tuple[str, ...]
    before: c.Mapping[str, t.Any]
    after: c.Mapping[str, t.Any]
    is_valid: bool

    def result(
        self,
        before: tuple[str, ...] | None,
        after: tuple[str, ...] | None,
        path: str | None,
    ) -> MoveIn:
        """Return what the move finds; see :class:`.MoveIn`."""
        return MoveIn(self.source, self.by_hand, before, after, path)


def plan_move(settings: Settings) -> Move:
    """Return what an app has to set instead of Alembic's files and Flask-Migrate."""
    location = None

    if found := find_nearby(settings):
        location = relative_path(found, settings.root_path)
        settings = _at(settings, location)

    code = SettingsCode(settings)
    code.add_location(location)
    code.add_option_files()
    code.add_flask_migrate()

    for path in env_py_files(settings) if not settings.ignores_env_py else ():
        code.add_env_py(path)

    source, by_hand = code.source(), [*code.by_hand, *code.notes()]
    before = after = {**settings.app_config, "ALEMBIC_IGNORE_ENV_PY": True}
    is_valid = True

    try:
        after = {**before, **_load(source, settings)}
    except Exception as e:
        # It has code of the user, which may need what is not there.
        by_hand.append(f"the settings do not load: {type(e).__name__}: {first_line(e)}")
        is_valid = False

    return Move(source, tuple(by_hand), before, after, is_valid)


def write_settings(move: Move, root_path: str) -> str | None:
    """Write the settings to a new file, if there are any and their code runs.

    :return: The path of the file.
    :raises ConfigurationError: If there is such a file, or it cannot be written.
    """
    path = os.path.join(root_path, FILE_NAME)

    if not (move.source and move.is_valid):
        return None

    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(move.source)
    except OSError as e:
        raise ConfigurationError(
            f"Cannot write '{path}': {first_line(e)}. Nothing was changed."
        ) from e

    return path


def _load(source: str, settings: Settings) -> dict[str, t.Any]:
    """Run the settings, and return the app's config with them."""
    namespace: dict[str, t.Any] = {"__name__": FILE_NAME, "__file__": FILE_NAME}
    exec(compile(source, FILE_NAME, "exec"), namespace)
    return {
        key: {**settings.app_config[key], **namespace.get(key, {})}
        for key in ("ALEMBIC", "ALEMBIC_CONTEXT")
    }


def _at(settings: Settings, script_location: str) -> Settings:
    options = {**settings.app_config["ALEMBIC"], "script_location": script_location}
    config = {**settings.app_config, "ALEMBIC": options}
    return settings.with_config(config)
