"""Renders types that are not SQLAlchemy's, and imports them.

Alembic renders the ``repr`` of a type after the name of its module, and does not import
it. What is rendered here has been evaluated, so a revision can do so as well.
"""

from __future__ import annotations

import ast
import collections.abc as c
import contextlib
import importlib
import inspect
import re
import typing as t
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import render
from alembic.ddl.impl import DefaultImpl
from sqlalchemy.dialects import registry
from sqlalchemy.types import TypeEngine

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

    RenderItem: t.TypeAlias = c.Callable[[str, t.Any, AutogenContext], str | bool]

#: Arguments whose text must not be in a file.
_SECRET = re.compile(r"(^|_)(key|secret|password|passphrase|token)$", re.IGNORECASE)
#: The imports of a template, which is no Python as a whole.
_IMPORT = re.compile(
    r"^(?:from \S+ import \([^)]*\)|(?:from|import) .+)$", re.MULTILINE
)


class UnrenderableTypeError(Exception):
    """A revision cannot have a type.

    :ivar type: The type.
    :ivar reason: Why, as the end of a sentence.
    """

    def __init__(self, type_: TypeEngine[t.Any], reason: str) -> None:
        super().__init__(type_, reason)
        self.type = type_
        self.reason = reason

    @property
    def instead(self) -> str:
        """What a ``render_item`` can return: what it is in the database."""
        impl = getattr(self.type, "impl", None)
        is_generic = type(impl).__module__ == "sqlalchemy.sql.sqltypes"
        return f"sa.{impl!r}" if is_generic else "sa.Text()"


class TypeRenderer:
    """The option ``render_item`` of Alembic.

    :param render_item: That of the app, which goes first.
    :param template: The template for revisions, whose imports they have as well.
    """

    def __init__(self, render_item: RenderItem | None, template: Path) -> None:
        self._render_item = render_item
        self._template = template

    def __call__(
        self, kind: str, item: t.Any, autogen_context: AutogenContext
    ) -> str | bool:
        if self._render_item is not None:
            rendered = self._render_item(kind, item, autogen_context)

            if rendered is not False:
                return rendered

        if kind != "type":
            return False

        if text := _text_of_decorator(item, autogen_context):
            return text + _variants(item, autogen_context)

        if text := _text_of_other_dialect(item, autogen_context):
            return text

        if _is_rendered_by_alembic(item, autogen_context):
            return False

        return self._render(item, autogen_context)

    def _render(self, item: TypeEngine[t.Any], autogen_context: AutogenContext) -> str:
        class_ = type(item)
        text = _expression(item)
        module = _import(item)
        _check_secrets(item, text)
        names = self._imported(autogen_context.imports)
        top_level = module.__name__.partition(".")[0]
        names[top_level] = importlib.import_module(top_level)

        try:
            made = eval(text, names)
        except Exception as exc:
            why = f"'{text}' fails with {type(exc).__name__}: {exc}"
            raise UnrenderableTypeError(item, why) from exc

        if type(made) is not class_:
            raise UnrenderableTypeError(item, f"'{text}' is another type")

        dialect = autogen_context.migration_context.dialect
        is_variant = dialect.name in item._variant_mapping

        if not is_variant and _ddl(made, dialect) != _ddl(item, dialect):
            why = f"'{text}' is {_ddl(made, dialect)}, not {_ddl(item, dialect)}"
            raise UnrenderableTypeError(item, why)

        autogen_context.imports.add(f"import {module.__name__}")
        return text + _variants(item, autogen_context)

    def _imported(self, imports: c.Iterable[str]) -> dict[str, t.Any]:
        """Return the names that a revision has."""
        template = _IMPORT.findall(self._template.read_text("utf-8", "replace"))
        names: dict[str, t.Any] = {}

        for line in (*template, *imports):
            # What cannot be imported is missed only by a type that needs it.
            with contextlib.suppress(Exception):
                exec(line, names)

        return names


def is_same_type(one: TypeEngine[t.Any], other: TypeEngine[t.Any]) -> bool:
    """Return whether a type is a copy of another one, or holds one.

    :param one: The type that may hold it, such as an array or one with variants.
    :param other: The other one.
    """
    inner = [*one._variant_mapping.values(), getattr(one, "item_type", None)]
    return (type(one) is type(other) and repr(one) == repr(other)) or any(
        is_same_type(item, other) for item in inner if item is not None
    )


def _text_of_decorator(
    item: TypeEngine[t.Any], autogen_context: AutogenContext
) -> str | None:
    """Return the text of a type of SQLAlchemy whose ``repr()`` has the arguments of
    another type, which it decorates.
    """
    prefix = autogen_context.opts["sqlalchemy_module_prefix"] or ""

    if type(item) is sa.Interval:
        arguments = {} if item.native else {"native": False}
        arguments |= {
            name: value
            for name in ("second_precision", "day_precision")
            if (value := getattr(item, name)) is not None
        }
        listed = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        return f"{prefix}Interval({listed})"

    if type(item) is sa.PickleType:
        impl = item.impl_instance

        if repr(impl) != repr(sa.LargeBinary()):
            # There's no public way to render a type.
            return render._repr_type(impl, autogen_context)

    return None


def _text_of_other_dialect(
    item: TypeEngine[t.Any], autogen_context: AutogenContext
) -> str | None:
    """Return the text of a type that another database has, as that of a variant. Only
    Alembic's implementation for that one knows which names it needs.
    """
    package, _, rest = type(item).__module__.partition("sqlalchemy.dialects.")
    name = rest.partition(".")[0]

    if package or not name or name == autogen_context.dialect.name:
        return None

    dialect = registry.load(name)()
    impl = DefaultImpl.get_by_dialect(dialect)(dialect, None, False, None, None, {})
    text = impl.render_type(item, autogen_context)

    if text:
        autogen_context.imports.add(f"from sqlalchemy.dialects import {name}")

    return text or None


def _is_rendered_by_alembic(
    item: TypeEngine[t.Any], autogen_context: AutogenContext
) -> bool:
    context = autogen_context.migration_context
    return (
        type(item).__module__.startswith("sqlalchemy.")
        or autogen_context.opts["user_module_prefix"] is not None
        or bool(context.impl.render_type(item, autogen_context))
    )


def _expression(item: TypeEngine[t.Any]) -> str:
    class_, text = type(item), repr(item)

    if text.startswith(f"{class_.__name__}("):
        # It may be in another class.
        text = class_.__qualname__ + text.removeprefix(class_.__name__)

    return f"{class_.__module__}.{text}"


def _import(item: TypeEngine[t.Any]) -> t.Any:
    class_ = type(item)

    if class_.__module__ == "__main__":
        why = "it is defined in the script that runs, which has no name to import"
        raise UnrenderableTypeError(item, why)

    if "<locals>" in class_.__qualname__:
        raise UnrenderableTypeError(item, "it is defined in a function")

    try:
        return importlib.import_module(class_.__module__)
    except ImportError as exc:
        why = f"its module '{class_.__module__}' cannot be imported"
        raise UnrenderableTypeError(item, why) from exc


def _check_secrets(item: TypeEngine[t.Any], text: str) -> None:
    try:
        call = ast.parse(text, mode="eval").body
    except SyntaxError as exc:
        raise UnrenderableTypeError(item, "its repr() is no Python") from exc

    parameters = [*inspect.signature(type(item)).parameters]
    found = [
        *zip(parameters, getattr(call, "args", ()), strict=False),
        *((key.arg, key.value) for key in getattr(call, "keywords", ())),
    ]

    for name, value in found:
        is_text = isinstance(value, ast.Constant) and isinstance(
            value.value, (str, bytes)
        )

        if is_text and name is not None and _SECRET.search(name):
            raise UnrenderableTypeError(item, f"its '{name}' would be in the file")


def _ddl(item: TypeEngine[t.Any], dialect: sa.Dialect) -> str | None:
    try:
        return item.compile(dialect)
    except Exception:
        # A type of another database.
        return None


def _variants(item: TypeEngine[t.Any], autogen_context: AutogenContext) -> str:
    # There's no public way to render a type, nor one to list its variants.
    return "".join(
        f".with_variant({render._repr_type(variant, autogen_context, True)}, {name!r})"
        for name, variant in sorted(item._variant_mapping.items())
    )
