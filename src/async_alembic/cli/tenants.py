"""What commands do with ``--tenants``: the options, the lines and the summary."""

from __future__ import annotations

import collections
import collections.abc as c
import contextlib
import dataclasses
import functools
import json
import typing as t

import click

from ..errors import AsyncAlembicError
from ..errors import first_line
from .answer import Answer
from .colour import style_failed
from .invocation import Invocation
from .output import echo
from .output import Failure

if t.TYPE_CHECKING:
    from ..results import BlockingTenantResults
    from ..results import DatabaseStatus
    from ..results import TenantResult

F = t.TypeVar("F", bound="c.Callable[..., t.Any]")
T = t.TypeVar("T")
Describe: t.TypeAlias = "c.Callable[[t.Any], str]"


_EMPTY = "A name after '--tenants' is empty. Give '--tenants' alone for all tenants."


@dataclasses.dataclass(frozen=True)
class Summary:
    """The words of the last line, which counts the tenants.

    :param done: What has happened to a tenant.
    :param told: What the tenants have in common that have a line of their own; empty if
        all have one.
    """

    done: str
    told: str = ""

    def count(self, done: int, told: int, of: int | None = None) -> str:
        """Return the line, without a full stop.

        :param done: How many tenants had no error.
        :param told: How many of these have a line of their own.
        :param of: How many tenants there were, if all were worked on.
        """
        which = f"{done} tenants" if of is None else f"{done} of {of} tenants"
        told_of = f", {told} of them {self.told}" if self.told and told and of else ""
        return f"{which} are {self.done}{told_of}"


MIGRATED = Summary("done", "listed above")


def tenant_options(function: F) -> F:
    """Add ``--tenants`` and what belongs to it to a command."""
    for option in (
        click.option(
            "--failed-of",
            type=click.File(encoding="utf-8"),
            help="With --tenants: those that failed, as an earlier output with --json"
            " says.",
        ),
        click.option(
            "--keep-going/--stop",
            default=None,
            help="With --tenants: whether to go on after one has failed, as usual.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            help="With --tenants: how many to work on at once; 10 by default.",
        ),
        click.option(
            "--tenants",
            multiple=True,
            metavar="[NAME]...",
            help="Work on all tenants, or on some, instead of the app's databases.",
        ),
    ):
        function = option(function)

    return function


def spread_tenants(args: list[str]) -> list[str]:
    """Return arguments in which each name after ``--tenants`` has an option of its own.
    Without a name, the option means all.

    :raises click.UsageError: If a name is empty, as a variable of a script may be.
    """
    spread: list[str] = []
    rest = collections.deque(args)

    while rest:
        arg = rest.popleft()

        if arg == "--":
            return [*spread, arg, *rest]

        if arg == "--tenants=":
            raise click.UsageError(_EMPTY)

        if arg != "--tenants":
            spread.append(arg)
            continue

        names = []

        while rest and not rest[0].startswith("-"):
            names.append(rest.popleft())

        if "" in names:
            raise click.UsageError(_EMPTY)

        spread += [f"--tenants={name}" for name in names or [""]]

    return spread


class TenantOptions:
    """The values of these options. It is true with ``--tenants``.

    :raises click.UsageError: If one of the others comes without it, or another choice
        of databases with it.
    """

    def __init__(
        self,
        tenants: tuple[str, ...],
        jobs: int | None,
        keep_going: bool | None,
        failed_of: t.TextIO | None,
    ) -> None:
        given = {"jobs": jobs, "keep-going": keep_going}
        names = [name for name in tenants if name]
        self._chosen = failed_of is not None or bool(tenants)
        self._only: list[str] | None = names or None
        self._limit = jobs or 10
        self._keep_going = keep_going is not False

        for name, value in given.items():
            if value is not None and not self._chosen:
                raise click.UsageError(f"'--{name}' needs '--tenants'.")

        if self._chosen:
            _refuse_others()

        if failed_of is not None:
            if names:
                raise click.UsageError(
                    "Give names after '--tenants', or '--failed-of FILE', not both."
                )

            self._only = _failed_of(failed_of)

    def __bool__(self) -> bool:
        return self._chosen

    def run(
        self,
        method: c.Callable[..., BlockingTenantResults[T]],
        *args: t.Any,
        describe: c.Callable[[T], str],
        summary: Summary,
        key: str,
        exit_code: c.Callable[[T], int] = lambda value: 0,
        **kwargs: t.Any,
    ) -> Answer:
        """Call a method for the tenants, and print a line for each that has something
        to tell.

        :param method: The method, such as ``upgrade_tenants``.
        :param describe: Returns what to tell of a value; empty for nothing.
        :param summary: The words of the last line.
        :param key: The key of the value in the JSON.
        :param exit_code: Returns the exit code for a value.
        """
        if self._only == []:
            return Answer(
                {"tenants": []}, ["No tenant failed in that output."], is_note=True
            )

        invocation = Invocation.of(click.get_current_context())
        printed = functools.partial(_print, describe, invocation)
        results: list[dict[str, t.Any]] = []
        told, failed, code = 0, 0, 0
        started = method(
            *args,
            only=self._only,
            limit=self._limit,
            keep_going=self._keep_going,
            **kwargs,
        )

        with contextlib.closing(started) as found:
            try:
                for result in found:
                    told += printed(result)
                    failed += result.error is not None
                    results.append(_encode(result, key))
                    code = max(code, _code_of(result, exit_code))
            except (KeyboardInterrupt, Failure):
                found.close()
                echo(f"{summary.count(len(results) - failed, 0)}.", err=True)
                raise

        done, count = len(results) - failed, len(results)
        line = summary.count(done, told - failed, count)
        line += f"; {failed} failed." if failed else "."
        lines = [line] if results else ["The app has no tenants."]
        return Answer({"tenants": results}, lines, is_note=True, exit_code=code)


def _refuse_others() -> None:
    """Refuse the options that choose databases in another way."""
    invocation = Invocation.of(click.get_current_context())

    for name in "tenant", "database":
        if getattr(invocation, name):
            raise click.UsageError(f"Give one of '--tenants' and '--{name}'.")


def _print(
    describe: Describe, invocation: Invocation, result: TenantResult[t.Any]
) -> bool:
    """Print what there is to tell of a tenant, and return whether there is anything."""
    if result.error is not None:
        text = style_failed(_describe_error(result.error))
    else:
        text = describe(result.value)

    if text and not invocation.json and (result.error or not invocation.quiet):
        seconds = f" ({result.seconds:.2f} s)" if result.seconds > 0.005 else ""
        echo(f"[{result.tenant}] {text}{seconds}", err=result.error is not None)

    return bool(text)


def _describe_error(error: Exception) -> str:
    return str(error) if isinstance(error, AsyncAlembicError) else first_line(error)


def _encode(result: TenantResult[t.Any], key: str) -> dict[str, t.Any]:
    error = result.error
    described = None

    if error is not None:
        described = {"type": type(error).__name__, "message": _describe_error(error)}

    return {
        "tenant": result.tenant,
        "seconds": round(result.seconds, 3),
        "error": described,
        key: result.value,
    }


def _code_of(result: TenantResult[T], exit_code: c.Callable[[T], int]) -> int:
    if result.error is not None:
        return 1

    return exit_code(t.cast("T", result.value))


def _failed_of(file: t.TextIO) -> list[str]:
    """Return the names of the tenants that failed.

    :param file: What a command has printed with ``--json``.
    """
    try:
        found = json.load(file)["result"]["tenants"]
        return [one["tenant"] for one in found if one["error"] is not None]
    except (LookupError, TypeError, ValueError) as e:
        raise click.BadParameter(
            "It is not what a command with '--tenants --json' has printed.",
            param_hint="'--failed-of'",
        ) from e


def describe_revisions(verb: str) -> c.Callable[[t.Sized], str]:
    """Return a function that tells how many revisions were run."""

    def describe(applied: t.Sized) -> str:
        if not applied:
            return ""

        return f"{verb} {len(applied)} revision{'s' if len(applied) > 1 else ''}"

    return describe


def describe_current(status: DatabaseStatus) -> str:
    """Tell where a tenant is."""
    return ", ".join(status.current) or "no revision"
