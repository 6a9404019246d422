"""Tells a revision which of several databases it is run on."""

from __future__ import annotations

import collections.abc as c
import functools
import inspect
import typing as t


def with_engine_name(
    fn: c.Callable[..., None], name: str, is_default: bool
) -> c.Callable[..., None]:
    """Return a revision's function that gets the name of the database, if it takes one.
    A function without a name is from when there was one database, and does nothing on
    the others.

    :param fn: ``upgrade()`` or ``downgrade()``.
    :param name: What the revisions call the database.
    :param is_default: Whether it is the default database.
    """
    parameters = inspect.signature(fn).parameters.values()
    takes_name = any(
        parameter.name == "engine_name" or parameter.kind is parameter.VAR_KEYWORD
        for parameter in parameters
    )

    @functools.wraps(fn)
    def run(**kwargs: t.Any) -> None:
        if takes_name:
            fn(engine_name=name, **kwargs)
        elif is_default:
            fn(**kwargs)

    return run
