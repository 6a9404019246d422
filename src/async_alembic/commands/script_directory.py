"""Commands that create the script directory."""

from __future__ import annotations

import collections.abc as c
import contextlib
import os
import typing as t
from pathlib import Path

from ..apps.nearby import check_nearby
from ..errors import ConfigurationError

if t.TYPE_CHECKING:
    from alembic.config import Config

    from ..apps.env_py_files import EnvPyFiles
    from ..apps.settings import Settings

#: Alembic's other templates differ in the ``env.py`` only, which is not needed.
TEMPLATES = {
    "generic": "Revisions for one database.",
    "multidb": "Revisions for several databases, with functions for each.",
}
_TEMPLATE = "script.py.mako"
_README = """\
The revisions of this app's databases, written by async-alembic.

'flask db --help' or 'quart db --help' lists the commands.
"""


def list_templates() -> dict[str, str]:
    return dict(TEMPLATES)


def mkdir(config: Config, settings: Settings, several: bool) -> None:
    template = Path(settings.script_location, _TEMPLATE)

    with _described_errors(settings):
        _make_folders(settings)

        if not template.exists():
            template.write_bytes(_read_template(config, _fitting(several)))


def init(
    config: Config,
    settings: Settings,
    several: bool,
    template: str | None,
    package: bool,
    env_py: EnvPyFiles | None = None,
) -> list[str]:
    content = _read_template(config, template or _fitting(several))
    folder = Path(settings.script_location)
    files = {folder / _TEMPLATE: content, folder / "README": _README.encode()}

    if env_py is not None:
        files |= env_py.contents(settings)

    if package:
        folders = [folder, *map(Path, settings.version_locations)]
        files |= {path / "__init__.py": b"" for path in folders}

    with _described_errors(settings):
        if template is not None:
            _make_way(config, folder / _TEMPLATE, content)

        _make_folders(settings)
        missing = [path for path in files if not path.exists()]

        for path in missing:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(files[path])

    return list(map(str, missing))


def _fitting(several: bool) -> str:
    return "multidb" if several else "generic"


def _read_template(config: Config, template: str) -> bytes:
    """Return the content of a template.

    :param template: Its name, or the path of a folder that has it.
    """
    stock = Path(config.get_template_directory(), template)
    path = Path(template) if template not in TEMPLATES else stock

    try:
        return (path / _TEMPLATE).read_bytes()
    except OSError:
        raise ConfigurationError(
            f"There is no template '{template}'. Give {' or '.join(TEMPLATES)}, or a"
            f" folder that has a '{_TEMPLATE}'. Each of them is for both kinds of"
            " engine."
        ) from None


def _make_way(config: Config, path: Path, content: bytes) -> None:
    """Remove a template that is to be replaced. Those that are made when an app starts
    are nobody's work.
    """
    if not path.exists() or (found := path.read_bytes()) == content:
        return

    if found not in [_read_template(config, name) for name in TEMPLATES]:
        raise ConfigurationError(
            f"There is another template, '{path}', which was edited. Remove it first."
        )

    path.unlink()


def _make_folders(settings: Settings) -> None:
    check_nearby(settings)

    for folder in [settings.script_location, *settings.version_locations]:
        os.makedirs(folder, exist_ok=True)


@contextlib.contextmanager
def _described_errors(settings: Settings) -> c.Iterator[None]:
    try:
        yield
    except OSError as e:
        raise ConfigurationError(
            f"Cannot create the script directory '{settings.script_location}':"
            f" {e.strerror} ('{e.filename}'). Correct the permissions, or"
            " app.config['ALEMBIC']."
        ) from e
