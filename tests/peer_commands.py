"""The commands and options of the tools that people come from, with ours beside them.

``python -m tests.peer_commands`` writes ``docs/reference/peers.md``.
"""

from __future__ import annotations

import argparse
import importlib
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from alembic.config import CommandLine
from flask import Flask

from async_alembic import Alembic
from async_alembic.cli.group import MigrationGroup

PAGE = Path(__file__).parents[1] / "docs/reference/peers.md"
INTRODUCTION = """\
# Beside the other tools

The commands and options of the tools that you may come from, and what they are here. A
test checks this page against the tools themselves. The names in the first column work
here, too: `db history` is `db log`. So do `-h` and `--help`, everywhere.

One thing differs: `revision` compares models and database, as Alembic does with
`--autogenerate`. With `--empty`, it does not.
"""
#: What to use instead of an option, in all commands or in one.
INSTEAD = {
    "ensure-version --sql": "`upgrade --sql`, which creates it",
    "revision --sql": "not needed; with `--empty`, no database is",
    "db -c": "the settings in `app.config['ALEMBIC']`",
    "db --config": "the settings in `app.config['ALEMBIC']`",
    "db -n": "`--database`",
    "revision --directory": "`--directory`, as `-d` is `--depend`",
    "dump-data": "the tool for dumps of your database",
}


@dataclass(frozen=True)
class Option:
    """An option of a tool: its names."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(f"`{name}`" for name in self.names)


@dataclass
class Peer:
    """A tool, and the options of each of its commands, by their names.

    :param commands: The group itself has an empty name.
    """

    name: str
    version: str
    commands: dict[str, list[Option]] = field(default_factory=dict)


def alembic() -> Peer:
    parser = CommandLine().parser
    [commands] = [
        action
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    return Peer(
        "Alembic",
        version("alembic"),
        {
            name: [
                Option(tuple(action.option_strings))
                for action in command._actions
                if action.option_strings and "--help" not in action.option_strings
            ]
            for name, command in {"": parser, **commands.choices}.items()
        },
    )


def flask_migrate() -> Peer:
    # It has no type hints.
    cli: Any = importlib.import_module("flask_migrate.cli")
    return _of_group("Flask-Migrate", "flask-migrate", cli.db)


def flask_alembic() -> Peer:
    from flask_alembic.cli import cli

    return _of_group("Flask-Alembic", "flask-alembic", cli)


def advanced_alchemy() -> Peer:
    # Some versions use what is deprecated in SQLAlchemy 2.1.
    with warnings.catch_warnings(action="ignore"):
        from advanced_alchemy.cli import add_migration_commands
        from advanced_alchemy.cli import get_alchemy_group

        group: Any = add_migration_commands(get_alchemy_group())

    return _of_group("Advanced Alchemy", "advanced-alchemy", group)


PEERS: list[Callable[[], Peer]] = [
    *(alembic, flask_migrate, flask_alembic, advanced_alchemy)
]


def _of_group(name: str, package: str, group: click.Group) -> Peer:
    commands = {"": group, **group.commands}
    options = {
        name: [
            Option((*param.opts, *param.secondary_opts))
            for param in command.params
            if isinstance(param, click.Option) and "--help" not in param.opts
        ]
        for name, command in commands.items()
    }
    return Peer(name, version(package), options)


def our_group() -> MigrationGroup:
    app = Flask("shop")
    Alembic(app, metadatas=sa.MetaData(), run_mkdir=False)
    group = app.cli.commands["db"]
    assert isinstance(group, MigrationGroup)
    return group


class Ours:
    """What we have for a command of another tool.

    :param name: The name of the command there; empty for the group.
    """

    def __init__(self, group: MigrationGroup, name: str) -> None:
        self.ctx = click.Context(group, info_name="db")
        self.command = group.get_command(self.ctx, name) if name else group
        self.name = name

    @property
    def accepts(self) -> bool:
        return self.command is not None

    def instead_of(self, option: Option) -> str | None:
        """What to use instead of an option; empty if the option works here, too, and
        ``None`` if there is nothing.
        """
        assert self.command is not None
        known = {
            name
            for param in self.command.get_params(self.ctx)
            for name in (*param.opts, *param.secondary_opts)
        }
        long = [name for name in option.names if name.startswith("--")]
        missing = [n for n in long or option.names if n not in known]
        here = [f"{self.command.name} {name}" for name in option.names]

        for key in [*here, *missing]:
            if key in INSTEAD:
                return INSTEAD[key]

        return None if missing else ""


def page(peers: list[Peer]) -> str:
    return "\n".join([INTRODUCTION, *(line for peer in peers for line in _rows(peer))])


def _rows(peer: Peer) -> Iterator[str]:
    group = our_group()
    yield f"## {peer.name} {peer.version}\n"
    yield "| There | Here | Options that work | Instead of others |"
    yield "| --- | --- | --- | --- |"

    for name, options in sorted(peer.commands.items()):
        ours = Ours(group, name)
        there = f"`{name}`" if name else "the group"

        if not ours.accepts:
            yield f"| {there} | {INSTEAD.get(name, '?')} | | |"
            continue

        here = f"`{ours.command and ours.command.name}`" if name else "the group"
        works, others = [], []

        for option in options:
            if instead := ours.instead_of(option):
                others.append(f"{option}: {instead}")
            else:
                works.append(str(option))

        yield f"| {there} | {here} | {'; '.join(works)} | {'; '.join(others)} |"

    yield ""


if __name__ == "__main__":
    PAGE.write_text(page([make() for make in PEERS]))
