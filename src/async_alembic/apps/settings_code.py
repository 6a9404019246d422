"""The code of settings: the values that are known, as Python."""

from __future__ import annotations

import collections.abc as c
import json
import os
import re
import sys
import types
import typing as t
from pathlib import Path

from .carried_code import EnvCode
from .carried_code import NotCarriedError
from .env_py import describe_function
from .env_py import find_settings
from .env_py import parse
from .option_files import options_around

if t.TYPE_CHECKING:
    from .settings import Settings

#: What the extension itself adds to the app's config.
_DEFAULTS: c.Collection[tuple[str, t.Any]] = [
    ("path_separator", "os"),
    ("script_location", "migrations"),
    ("version_locations", []),
    ("compare_server_default", True),
]

#: Names of options that are not printed.
_SECRET = re.compile("password|passwd|secret|token", re.IGNORECASE)


class SettingsCode:
    """Collects the code of settings.

    :param settings: The settings that the app has already.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._code: list[str] = []
        self._options: dict[str, str] = {}
        self._context: dict[str, str] = {}
        #: Whether an ``env.py`` sets something.
        self._found = False
        self.by_hand: list[str] = []

    def add_location(self, found: str | None) -> None:
        """Add the folder of a history that is not in the app's script directory."""
        if found is not None:
            self._options["script_location"] = _quote(found)

    def add_option_files(self) -> None:
        options, places = options_around(self._settings.script_location)

        for name, value in options.items():
            if name == "version_locations":
                value = [relative_path(p, self._settings.root_path) for p in value]
            elif name == "prepend_sys_path":
                root = self._settings.root_path
                value = [f"%(here)s/{relative_path(path, root)}" for path in value]

            if name not in self._own("ALEMBIC"):
                self._add_value(self._options, name, value, f"'{places[name]}'")

    def add_flask_migrate(self) -> None:
        migrate = self._settings.migrate

        for name, value in migrate.context.items():
            if name not in self._own("ALEMBIC_CONTEXT"):
                self._add_value(self._context, name, value, "Migrate(...)")

        self.by_hand += map(describe_function, migrate.callbacks)

    def add_env_py(self, path: str) -> None:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        code = EnvCode(text, tree := parse(path))
        known = self._settings.context_options()
        added: dict[str, set[str]] = {}
        refused: set[str] = set()

        for name, line, value in find_settings(tree):
            if name in known:
                continue

            self._found = True

            try:
                if value is None:
                    code.carry_import(line)
                else:
                    added.setdefault(name, set()).add(code.carry(value))
            except NotCarriedError:
                self.by_hand.append(f"'{name}' in line {line} of '{path}'")
                refused.add(name)

        for name, texts in added.items():
            if len(texts) == 1 and name not in refused:
                self._context[name] = texts.pop()
            elif name not in refused:
                self.by_hand.append(f"'{name}', which has several values in '{path}'")

        self._code += filter(None, [code.source])

    def source(self) -> str:
        """Return the code of the settings; empty if there are none."""
        parts = [*self._code]
        parts += _assignment("ALEMBIC", self._options)
        parts += _assignment("ALEMBIC_CONTEXT", self._context)

        if parts and self.by_hand:
            todo = [f"#   {text}" for text in self.by_hand]
            parts.append("\n".join(["# By hand, before the files are deleted:", *todo]))
        elif self._found:
            parts.append("# All of it is carried over.\nALEMBIC_IGNORE_ENV_PY = True")

        return "\n\n".join(parts) + "\n" if parts else ""

    def notes(self) -> c.Iterator[str]:
        """Yield what to heed when the settings are put into the app's config."""
        for key, new in ("ALEMBIC", self._options), ("ALEMBIC_CONTEXT", self._context):
            if new and (own := self._own(key) - new.keys()):
                names = ", ".join(f"'{name}'" for name in sorted(own))
                yield f"app.config['{key}'] has {names}; keep that"

    def _own(self, key: str) -> set[str]:
        """Return the names of what the app's config sets."""
        items = self._settings.app_config[key].items()
        return {name for name, value in items if not _is_default(name, value)}

    def _add_value(
        self, target: dict[str, str], name: str, value: object, place: str
    ) -> None:
        try:
            if _SECRET.search(name) and isinstance(value, str):
                raise NotCarriedError

            imports, target[name] = _render(value)
            self._code += imports
        except NotCarriedError:
            self.by_hand.append(f"'{name}' in {place}")


def _render(value: object) -> tuple[list[str], str]:
    """Return the imports that a value needs, and its code."""
    match value:
        case str() if "://" in value and "@" in value:
            # It may have a password, which must not be printed.
            raise NotCarriedError
        case str():
            return [], _quote(value)
        case None | bool() | int() | float():
            return [], repr(value)
        case list() | tuple():
            rendered = [_render(item) for item in value]
            text = ", ".join(item for _, item in rendered)
            return [i for imports, _ in rendered for i in imports], f"[{text}]"
        case dict() if not any(map(_SECRET.search, value)):
            items = {_quote(key): _render(item) for key, item in value.items()}
            lines = [f"        {key}: {text},\n" for key, (_, text) in items.items()]
            imports = [i for imports, _ in items.values() for i in imports]
            return imports, "{\n" + "".join(lines) + "    }"
        case types.FunctionType() | type():
            module, name = value.__module__, value.__qualname__

            if getattr(sys.modules.get(module), name, None) is value:
                if module not in {"__main__", "builtins"}:
                    return [f"from {module} import {name}"], name

    raise NotCarriedError


def _quote(text: str) -> str:
    """Return a string literal with double quotes, which JSON shares with Python."""
    return json.dumps(text, ensure_ascii=False)


def _assignment(name: str, items: c.Mapping[str, str]) -> list[str]:
    if not items:
        return []

    lines = [f'    "{key}": {text},' for key, text in items.items()]
    return ["\n".join([f"{name} = {{", *lines, "}"])]


def _is_default(name: str, value: object) -> bool:
    """Whether a setting is one of those that the extension itself has added."""
    return (name, value) in _DEFAULTS


def relative_path(path: str, root: str) -> str:
    """Return a path as it is written in a setting."""
    return os.path.relpath(path, root).replace(os.sep, "/")
