"""Commands that create the script directory."""

from __future__ import annotations

import os
import typing as t

import click

from .answer import Answer
from .options import command
from .output import format_path

if t.TYPE_CHECKING:
    from .protocol import Migrations


@command()
@click.pass_obj
def mkdir(alembic: Migrations) -> None:
    """Create the script directory if it does not exist."""
    alembic.mkdir()


@command()
@click.pass_obj
@click.argument("folder", metavar="[DIRECTORY]", required=False)
@click.option("-t", "--template", help="The template of new revisions, or its folder.")
@click.option("--multidb", is_flag=True, help="Short for '--template multidb'.")
@click.option("--package", is_flag=True, help="Make a Python package of each folder.")
@click.option(
    "--env-py",
    is_flag=True,
    help="Write an env.py and an alembic.ini, for other tools that need them.",
)
def init(
    alembic: Migrations,
    folder: str | None,
    template: str | None,
    multidb: bool,
    package: bool,
    env_py: bool,
) -> Answer:
    """Create the script directory with a template and a README.

    In DIRECTORY, or where the app's config says. No env.py is needed.
    """
    template = template or ("multidb" if multidb else None)
    created = alembic.with_options(directory=folder).init(template, package, env_py)
    lines = [f"Created {format_path(path)}" for path in created]
    lines = lines or ["Nothing to create."]
    configured = alembic.config.get_main_option("script_location", "")

    if folder and os.path.abspath(folder) != os.path.abspath(configured):
        lines.append(
            f"Set app.config['ALEMBIC']['script_location'] to '{folder}', so that other"
            " commands use it."
        )

    return Answer({"files": created}, lines, is_note=True)


@command()
@click.pass_obj
def list_templates(alembic: Migrations) -> Answer:
    """List the templates of new revisions."""
    templates = alembic.list_templates()
    lines = [f"{name} - {description}" for name, description in templates.items()]
    return Answer({"templates": templates}, lines)
