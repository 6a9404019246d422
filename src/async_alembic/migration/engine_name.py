"""Tells a revision which of several databases it is run on."""

from __future__ import annotations

import collections.abc as c
import functools
import inspect
import traceback
import typing as t

from .events import log


def with_engine_name(
    fn: c.Callable[..., None], name: str, is_default: bool
) -> c.Callable[..., None]:
    """Return a revision's function that gets the name of the database, if it takes one.
    A function without a name is from when there was one database, and does nothing on
    the others. One that lacks the function that it looks up by the name is from before
    that database was added, and does nothing on it.

    :param fn: ``upgrade()`` or ``downgrade()``.
    :param name: What the revisions call the database.
    :param is_default: Whether it is the default database.
    """
    parameters = inspect.signature(fn).parameters.values()
    takes_name = any(
        parameter.name == "engine_name" or parameter.kind is parameter.VAR_KEYWORD
        for parameter in parameters
    )

    looked_up = f"{fn.__name__}_{name}"

    @functools.wraps(fn)
    def run(**kwargs: t.Any) -> None:
        if takes_name:
            try:
                fn(engine_name=name, **kwargs)
            except KeyError as e:
                if not _is_lookup(e, fn, looked_up):
                    raise

                log.warning(
                    "'%s' has no %s(), so it changes nothing in database '%s'.",
                    inspect.getfile(fn),
                    looked_up,
                    name,
                )
        elif is_default:
            fn(**kwargs)

    return run


def _is_lookup(error: KeyError, fn: c.Callable[..., None], looked_up: str) -> bool:
    """Return whether an error means that a revision lacks the function of a database,
    which templates for several databases call by ``globals()``.
    """
    *_, (last, _) = traceback.walk_tb(error.__traceback__)
    is_own = last.f_code is getattr(fn, "__code__", None)
    return is_own and error.args == (looked_up,) and looked_up not in last.f_globals
