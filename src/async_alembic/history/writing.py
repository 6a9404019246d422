"""What a new revision file needs beyond Alembic: a message that can be read back, names
that can be used again, and hooks that do not print.
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

#: Where a target is given, these mean something else, and so does a step such as "-1".
_reserved = {"head", "heads", "base", "current"}
#: The version table takes ids of this length.
_longest_id = 32


def escape_message(message: str) -> str:
    """A message as it must stand between triple quotes to be read back as it is."""
    # A source file takes no half of a character, as an argument of a command can have.
    text = message.encode(errors="replace").decode().replace("\\", "\\\\")
    escaped = "".join(
        char if char in "\n\t" or char.isprintable() else _escape(char) for char in text
    )
    return re.sub(r'"{3,}|"+\Z', lambda match: '\\"' * len(match[0]), escaped)


def check_id(revision: str) -> None:
    """Check that a new id can be a file's name, be stored, and be given as a target.

    :param revision: The id.
    :raises RevisionError: If it cannot.
    """
    if (
        revision in _reserved
        or len(revision) > _longest_id
        or not re.fullmatch(r"\w[\w.]*", revision)
    ):
        raise RevisionError(
            f"The revision id '{revision}' cannot be used. Choose one of up to"
            f" {_longest_id} letters, digits and underscores."
        )


def check_label(label: str) -> None:
    """Check that a new branch label can be given as a target.

    :param label: The label.
    :raises RevisionError: If it cannot.
    """
    if (
        label in _reserved
        or not re.fullmatch(r"\w[\w. -]*", label)
        or re.search(r"-\d", label)
    ):
        raise RevisionError(
            f"The branch label '{label}' could not be given as a target. Choose one of"
            " letters, digits and underscores."
        )


def run_hooks(hooks: c.Iterable[c.Mapping[str, t.Any]], path: Path) -> None:
    """Run post write hooks on a file.

    :param hooks: As ``Config.get_hooks_list()`` returns them.
    :param path: The file.
    :raises ConfigurationError: If a hook fails.
    """
    for hook in hooks:
        name = hook["_hook_name"]

        try:
            if "type" not in hook:
                raise LookupError(f"the key '{name}.type' is missing")

            # The public way to run hooks, ScriptDirectory.hooks, prints.
            write_hooks._invoke(hook["type"], path, t.cast("t.Any", hook))
        except Exception as e:
            raise ConfigurationError(
                f"The post write hook '{name}' failed: {first_line(e)}. No revision was"
                " written. Correct app.config['ALEMBIC']['post_write_hooks']."
            ) from e


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
