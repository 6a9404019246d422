"""What a new revision file needs beyond Alembic: a message that can be read back, names
that can be used again, and hooks that do not print.
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t
from pathlib import Path

from alembic.script import write_hooks

from .errors import ConfigurationError
from .errors import first_line
from .errors import RevisionError

#: What means something else where a target is given: a name, a branch, a step, a range.
_not_a_name = re.compile(r"\A(head|heads|base|current|)\Z|[@:]|[+-]\d")


def escape_message(message: str) -> str:
    """A message as it must stand between triple quotes to be read back as it is."""
    escaped = "".join(
        char if char in "\n\t" or char.isprintable() else _escape(char)
        for char in message.replace("\\", "\\\\")
    )
    return re.sub(r'"{3,}|"+\Z', lambda match: '\\"' * len(match[0]), escaped)


def check_name(kind: str, name: str) -> None:
    """Check that a new id or label can be given as a target.

    :param kind: What it is, for the error message.
    :param name: The id or label.
    :raises RevisionError: If it cannot.
    """
    if _not_a_name.search(name):
        raise RevisionError(
            f"The {kind} '{name}' could not be given as a target, where it means"
            " something else. Choose one of letters, digits and underscores."
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
