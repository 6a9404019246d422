"""What a revision says to allow, in comments."""

from __future__ import annotations

import re
import tokenize

from ..errors import RevisionFileError

_ALLOWANCE = re.compile(r"#\s*plan:\s*allow\s+(\S+)(?:\s+because\s+(\S.*))?")


def find_allowed(path: str) -> set[str]:
    """Return the rules that ``# plan: allow RULE because REASON`` silences.

    :param path: The path of the revision file.
    :raises RevisionFileError: If there is no reason.
    """
    if not path.endswith(".py"):
        return set()

    with open(path, "rb") as file:
        tokens = tokenize.tokenize(file.readline)
        comments = {
            token.start[0]: token.string
            for token in tokens
            if token.type == tokenize.COMMENT
        }

    allowed = set()

    for line, comment in comments.items():
        if found := _ALLOWANCE.match(comment):
            rule, reason = found.groups()

            if reason is None:
                raise RevisionFileError(
                    path,
                    line,
                    f"'{comment}' has no reason. Write '# plan: allow {rule} because"
                    " ...'.",
                )

            allowed.add(rule)

    return allowed
