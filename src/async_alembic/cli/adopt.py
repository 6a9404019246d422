"""The command for databases that were made without migrations."""

from __future__ import annotations

import typing as t

import click

from .answer import Answer
from .options import command
from .output import title
from .progress import shown_progress

if t.TYPE_CHECKING:
    from ..results import Adoption
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
def adopt(alembic: Migrations) -> Answer:
    """Put a database under migrations that was made without them.

    Upgrades it if it is empty, and stamps it if it is equal to the models. Otherwise,
    shows how it differs, writes nothing and exits with 1.
    """
    with shown_progress():
        found = alembic.adopt()

    lines: list[str] = []

    for name, adoption in found.items():
        lines.append(f"{title(name, found)}{_describe(adoption)}")
        lines += [f"  {difference}" for difference in adoption.differences]

        if adoption.unknown_tables:
            names = ", ".join(adoption.unknown_tables)
            lines.append(f"  in no model, and left alone: {names}")

    outcomes = {adoption.outcome for adoption in found.values()}
    return Answer({"databases": found}, lines, exit_code="different" in outcomes)


def _describe(adoption: Adoption) -> str:
    revisions = ", ".join(adoption.revisions) or "base"

    match adoption.outcome:
        case "upgraded":
            return f"The database was empty, and was upgraded to {revisions}."
        case "stamped":
            return f"The database is equal to the models, and was stamped {revisions}."
        case "managed":
            return f"The database is under migrations already, at {revisions}."
        case "different":
            return "The database differs from the models. Nothing was written:"
