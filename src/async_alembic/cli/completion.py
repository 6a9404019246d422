"""Completes the names of revisions and databases when a shell asks for them."""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

import click

from ..errors import AsyncAlembicError
from .invocation import Invocation

if t.TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _ParamType: t.TypeAlias = click.ParamType[t.Any]
else:
    # It is generic in new versions only.
    _ParamType = click.ParamType

#: What the targets of all commands may be, beside ids.
_NAMES = {
    "head": "the newest revision",
    "heads": "the newest revisions of all branches",
    "base": "before the first revision",
}


class Revision(_ParamType):
    """The id of a revision, or another target."""

    name = "revision"

    def convert(
        self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> t.Any:
        refuse_option(value, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _complete_target(ctx, incomplete)


class RevisionRange(_ParamType):
    """The oldest and the newest revision, with a colon between."""

    name = "start:end"

    def convert(
        self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> t.Any:
        start, colon, end = value.partition(":")

        if not colon:
            self.fail(f"'{value}' has no colon. Write it as 'start:end'.", param, ctx)

        return start or "base", end or "heads"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _complete_target(ctx, incomplete)


class Database(_ParamType):
    """The name of a database."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _complete(incomplete, lambda: _databases(ctx))


def refuse_option(word: str, ctx: click.Context | None) -> None:
    """Refuse an unknown option, which is accepted where a negative number is."""
    if word[:1] == "-" and not re.fullmatch(r"-\d+", word):
        known = ctx.command.get_params(ctx) if ctx else ()
        names = [name for option in known for name in option.opts]
        raise click.NoSuchOption(word, possibilities=names, ctx=ctx)


def _complete_target(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Complete a revision, or one of those in a range."""
    start, colon, _ = incomplete.rpartition(":")
    return _complete(
        incomplete,
        lambda: {f"{start}{colon}{name}": help for name, help in _targets(ctx).items()},
    )


def _complete(
    incomplete: str, find: c.Callable[[], dict[str, str]]
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        found = find()
    except AsyncAlembicError:
        # A command would say what is wrong; a shell would mix it with the input.
        return []

    return [
        CompletionItem(name, help=help)
        for name, help in found.items()
        if name.startswith(incomplete)
    ]


def _targets(ctx: click.Context) -> dict[str, str]:
    scripts = Invocation.of(ctx).migrations._all_revisions()
    return {script.revision: script.doc for script in scripts} | _NAMES


def _databases(ctx: click.Context) -> dict[str, str]:
    urls = Invocation.of(ctx).migrations._urls()
    return {name: url.render_as_string() for name, url in urls.items()}
