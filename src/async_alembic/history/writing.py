"""Additions to Alembic for new revision files: escape the message, check ids and
labels, and run hooks without printing.
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t
from pathlib import Path

from alembic.script import write_hooks

from ..errors import ConfigurationError
from ..errors import first_line
from ..errors import RevisionError

#: Names with another meaning in a target.
_reserved = {"head", "heads", "base", "current"}
#: The length of the version table's column.
_max_id_length = 32


def escape_message(message: str) -> str:
    """Escape a message so that it reads back unchanged from a triple-quoted string."""
    # A command line argument can contain lone surrogates, which UTF-8 cannot encode.
    text = message.encode(errors="replace").decode().replace("\\", "\\\\")
    escaped = "".join(
        char if char in "\n\t" or char.isprintable() else _escape(char) for char in text
    )
    return re.sub(r'"{3,}|"+\Z', lambda match: '\\"' * len(match[0]), escaped)


def check_id(revision: str) -> None:
    """Check that a new id is valid as a file name, in the version table, and as a
    target.

    :param revision: The id.
    :raises RevisionError: If the id is invalid.
    """
    if (
        revision in _reserved
        or len(revision) > _max_id_length
        or not re.fullmatch(r"\w[\w.]*", revision)
    ):
        raise RevisionError(
            f"The revision id '{revision}' is invalid. Use up to {_max_id_length}"
            " letters, digits, underscores and dots, and not a name such as 'head'."
        )


def check_is_complete(template: Path, text: str, values: c.Mapping[str, t.Any]) -> None:
    """Check that a new file upgrades each database. A template for other databases
    leaves operations out.

    :param template: The path of the template.
    :param text: What is in the file.
    :param values: The values of the template.
    :raises ConfigurationError: If operations are missing.
    """
    written = {line.strip() for line in text.splitlines()}

    for name, code in values.items():
        # A template may leave out downgrades.
        if name.endswith("upgrades"):
            lines = [line.strip() for line in code.splitlines()]
            operations = [line for line in lines if line.startswith(("op.", "with op"))]

            if operations and written.isdisjoint(operations):
                raise ConfigurationError(
                    f"The template '{template}' does not write '{name}', so operations"
                    " would be lost. Remove it, and run 'db mkdir' to create one for"
                    " the databases of this app."
                )


def check_label(label: str) -> None:
    """Check that a new branch label is valid as a target.

    :param label: The label.
    :raises RevisionError: If the label is invalid.
    """
    if (
        label in _reserved
        or not re.fullmatch(r"\w[\w. -]*", label)
        or re.search(r"-\d", label)
    ):
        raise RevisionError(
            f"The branch label '{label}' would be invalid as a target. Use letters,"
            " digits and underscores, and not a name such as 'head'."
        )


def run_hooks(hooks: c.Iterable[c.Mapping[str, t.Any]], path: Path) -> None:
    """Run post write hooks on a file.

    :param hooks: The hooks that ``Config.get_hooks_list()`` returns.
    :param path: The path of the file.
    :raises ConfigurationError: If a hook fails.
    """
    for hook in hooks:
        name = hook["_hook_name"]

        try:
            if "type" not in hook:
                raise LookupError(f"the key '{name}.type' is missing")

            # ScriptDirectory.hooks, the public way to run hooks, prints.
            write_hooks._invoke(hook["type"], path, t.cast("t.Any", hook))
        except Exception as e:
            raise ConfigurationError(
                f"The post write hook '{name}' failed: {first_line(e)}. No revision was"
                " written. Correct app.config['ALEMBIC']['post_write_hooks']."
            ) from e


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
