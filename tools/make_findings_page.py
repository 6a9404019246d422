"""Generate ``docs/explanation/findings.md`` from the scripts in ``findings/``.

The comment at the top of each script says what was found, and in which versions.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "findings"
PAGE = ROOT / "docs" / "explanation" / "findings.md"

HEADER = """\
# What was learned about others

For whoever uses Alembic, SQLAlchemy, a driver or a server, with this package or not.

Each finding is about the versions that it names, and a good engineer would guess
otherwise. A script installs these packages in a temporary folder, shows what they do
without `async_alembic`, and fails if that has changed. In a clone:

```{code-block} console
$ bash findings/NAME.sh
```
"""


def make() -> str:
    """Return the text of the page."""
    return "\n".join([HEADER, *map(section, sorted(FOLDER.glob("*.sh")))])


def section(path: Path) -> str:
    title = path.stem.replace("_", " ").capitalize()
    text = "\n\n".join(escape(paragraph) for paragraph in paragraphs(path))
    return f"## {title}\n\n{text}\n\n`bash findings/{path.name}`\n"


def paragraphs(path: Path) -> list[str]:
    """Return the paragraphs of the comment at the top of a script."""
    _, *lines = path.read_text().splitlines()
    comment = []

    for line in lines:
        if not line.startswith("#"):
            break

        comment.append(line.removeprefix("#").strip())

    return "\n".join(comment).strip().split("\n\n")


def escape(text: str) -> str:
    """Return a text in which nothing is markup."""
    return re.sub(r"([\\*_<>`\[\]{}|$])", r"\\\1", text)


if __name__ == "__main__":
    PAGE.write_text(make())
