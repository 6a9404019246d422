"""Copies of dialects. All connections of an engine share one."""

from __future__ import annotations

import collections.abc as c
import contextlib
import copy
import typing as t

from sqlalchemy.util import memoized_property

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy import Dialect


def copy_dialect(dialect: Dialect) -> t.Any:
    """Copy a dialect, without what it has memoized, which depends on its settings."""
    copied = copy.copy(dialect)

    for name in [*vars(copied)]:
        if isinstance(getattr(type(copied), name, None), memoized_property):
            del vars(copied)[name]

    return copied


@contextlib.contextmanager
def changed_dialect(connection: sa.Connection, **attributes: t.Any) -> c.Iterator[None]:
    """Change the dialect of a connection, but of no other one.

    :param attributes: The new values, by the names of attributes and methods.
    """
    original = connection.dialect
    connection.dialect = copy.copy(original)

    for name, value in attributes.items():
        setattr(connection.dialect, name, value)

    try:
        yield
    finally:
        connection.dialect = original


def for_files(dialect: Dialect) -> Dialect:
    """Copy a dialect, and make it render percent signs and colons as they are, for
    texts that are not sent to a driver.
    """
    copied = copy_dialect(dialect)
    copied.identifier_preparer = copy.copy(dialect.identifier_preparer)
    copied.identifier_preparer.dialect = copied
    # There's no public way. A new one would not know the server's settings.
    copied.identifier_preparer._double_percents = False
    # The names that it has quoted.
    copied.identifier_preparer._strings = {}
    copied.type_compiler_instance = copied.type_compiler_cls(copied)
    copied.statement_compiler = _with_colons(dialect.statement_compiler)
    return t.cast("Dialect", copied)


def _with_colons(compiler: t.Any) -> t.Any:
    """Return a compiler for which a parameter without a value is a word after a colon,
    as in ``text("'a :b'")``. SQLAlchemy makes NULL of it, also in what it has read.
    """

    class Compiler(compiler):  # type: ignore[misc]
        def render_literal_bindparam(
            self, bindparam: sa.BindParameter[t.Any], **options: t.Any
        ) -> str:
            if bindparam.required:
                return f":{bindparam.key}"

            text: str = super().render_literal_bindparam(bindparam, **options)
            return text

    return Compiler
