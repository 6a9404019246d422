"""The command for databases that were made without migrations."""

from __future__ import annotations

import typing as t

import click

from .options import command
from .output import echo

if t.TYPE_CHECKING:
    from ..results import Adoption
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
@click.pass_context
def adopt(ctx: click.Context, alembic: Migrations) -> None:
    """Put a database under migrations that was made without them.

    Upgrades it if it is empty, and stamps it if it is equal to the models. Otherwise,
    shows how it differs, writes nothing and exits with 1.
    """
    found = alembic.adopt()

    for name, adoption in found.items():
        prefix = f"[{name}] " if len(found) > 1 else ""
        echo(f"{prefix}{_describe(adoption)}")

        for difference in adoption.differences:
            echo(f"  {difference}")

        if adoption.unknown_tables:
            echo(f"  in no model, and left alone: {', '.join(adoption.unknown_tables)}")

    if any(adoption.outcome == "different" for adoption in found.values()):
        ctx.exit(1)


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
