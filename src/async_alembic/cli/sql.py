"""What the commands that migrate print with ``--sql``."""

from __future__ import annotations

import collections.abc as c
import typing as t
from pathlib import Path

import click

from .answer import Answer
from .output import echo
from .output import Failure
from .output import format_path

F = t.TypeVar("F", bound="c.Callable[..., t.Any]")


def sql_options(function: F) -> F:
    """Add ``--sql`` and what belongs to it to a command."""
    for option in (
        click.option(
            "--output",
            type=click.Path(file_okay=False),
            help="With --sql: the folder to write a file to for each database.",
        ),
        click.option(
            "--tag",
            help="With --sql: what a revision gets by context.get_tag_argument().",
        ),
        click.option(
            "--sql",
            is_flag=True,
            help="Print SQL instead of changing a database; no database is needed."
            " START:TARGET says where the database is.",
        ),
    ):
        function = option(function)

    return function


def refuse_range(name: str, targets: c.Iterable[str], writer: str = "") -> None:
    """Refuse a range where the database says where it is.

    :param name: The name of the command.
    :param writer: The command that takes one with ``--sql``, if it is another one.
    """
    for target in targets:
        _, colon, end = target.rpartition(":")

        if colon:
            raise click.UsageError(
                f"A range such as '{target}' is for 'db {writer or name} --sql', which"
                " does not ask the database where it is. Run"
                f" 'db {name} {end or 'heads'}'."
            )


class SqlOptions:
    """The values of these options. It is true with ``--sql``.

    :raises click.UsageError: If one of the others comes without it.
    """

    def __init__(self, sql: bool, tag: str | None, output: str | None) -> None:
        self._sql = sql
        self.tag = tag
        self._output = output

        if not sql and (tag or output):
            name = "tag" if tag else "output"
            raise click.UsageError(f"'--{name}' needs '--sql'.")

    def __bool__(self) -> bool:
        return self._sql

    def range(self, target: str = "heads") -> tuple[str, str]:
        """Return the start and the end of ``START:TARGET``. By default, it starts at
        base.
        """
        start, _, end = target.rpartition(":")
        return start or "base", end or "heads"

    def write(self, scripts: c.Mapping[str, str]) -> Answer:
        """Write the SQL of each database to files, unless it is to be printed.

        :param scripts: The SQL, by the name of the database.
        """
        if not any(scripts.values()):
            echo("Nothing to do.", err=True)
            return Answer({"scripts": {}})

        if self._output is not None:
            paths = _write_files(self._output, scripts)
            lines = [f"Created {format_path(path)}" for path in paths]
            return Answer({"files": paths}, lines, is_note=True)

        return Answer({"scripts": scripts}, _with_titles(scripts))


def _with_titles(scripts: c.Mapping[str, str]) -> c.Iterator[str]:
    for name, text in scripts.items():
        if len(scripts) > 1:
            yield f"-- Database '{name}'\n"

        yield text


def _write_files(folder: str, scripts: c.Mapping[str, str]) -> list[str]:
    paths = {Path(folder, f"{name}.sql"): text for name, text in scripts.items()}

    for path, text in paths.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as e:
            raise Failure(f"Cannot write '{path}': {e.strerror}.") from e

    return [*map(str, paths)]
