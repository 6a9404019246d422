"""A round trip: models into an empty database, a change of them, and back."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from async_alembic import Alembic

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import Caller
from ..harness import ids
from ..harness import make_app
from .models import Model
from .strategies import DEFAULT_SCHEMAS

VERSION_TABLE = "alembic_version"
SCHEMA = "other"

Contents = dict[str, Any]


class LostError(Exception):
    """A round trip has not led where it should."""


class Trip:
    """Runs round trips on one driver, one after another.

    :param root: A folder for the revisions.
    """

    def __init__(
        self, backend: Backend, caller: Caller, engines: EngineFactory, root: Path
    ) -> None:
        self.backend = backend
        self.caller = caller
        self.root = root
        self.folder = root
        self.engine = engines(backend, poolclass=NullPool)
        #: Where the same is created without migrations.
        self.other = engines(backend, poolclass=NullPool)
        self.numbers = itertools.count(1)

    def run(self, before: Model, after: Model) -> None:
        """Make the trip.

        :raises LostError: If a step has not led where it should.
        """
        self.begin()
        self.migrate(before)
        self.migrate(after)
        self.call(after, "downgrade", "base")

        if left := self.judged(self.engine):
            raise LostError(f"left at the end: {sorted(left)}")

    def run_again(self, after: Model) -> None:
        """Go up once more, after :meth:`run`."""
        self.call(after, "upgrade")

        if left := self.call(after, "compare_metadata"):
            raise LostError(f"different after going up again: {left}")

    def begin(self) -> None:
        """Begin with an empty database and no revisions."""
        self.folder = self.root / uuid4().hex
        self.wipe(self.engine)
        self.wipe(self.other)

    def migrate(self, model: Model) -> None:
        """Generate a revision for what has changed, and run it."""
        scripts = self.call(model, "revision", "change")
        assert ids(self.call(model, "upgrade")) == ids(scripts)

        if left := self.call(model, "compare_metadata"):
            raise LostError(f"still different after the upgrade: {left}")

        assert not self.call(model, "needs_revision")
        named = names_of(model.metadata())
        found = normalized(self.judged(self.engine), named)

        if found != (wanted := normalized(self.created(model), named)):
            raise LostError(
                f"overlooked: found {missing(wanted, found)} instead of"
                f" {missing(found, wanted)}"
            )

    def created(self, model: Model) -> Contents:
        """What ``MetaData.create_all()`` makes of a model."""
        self.wipe(self.other)
        self.caller.begin(self.other, partial(create_all, model, self.default_schema))
        return self.judged(self.other)

    @property
    def default_schema(self) -> str | None:
        """The name of the default schema of the database that is migrated."""
        name = self.backend.database
        return DEFAULT_SCHEMAS.get(name, self.engine.url.database)

    def call(self, model: Model, method: str, *args: Any) -> Any:
        """Call a method of the extension, with a model as the metadata."""
        context: dict[str, Any] = {}

        if self.backend.database == "postgresql":
            context["include_schemas"] = True

        app = make_app(
            "quart" if self.backend.is_async else "flask",
            self.folder,
            ALEMBIC_CONTEXT=context,
        )
        alembic = Alembic(app, metadatas=model.metadata(), engines=lambda: self.engine)
        alembic.rev_id = lambda: f"r{next(self.numbers)}"  # type: ignore[method-assign]
        return self.caller(alembic, method, *args)

    def judged(self, engine: Any) -> Contents:
        """Everything that is in a database, but the version table."""
        return self.caller.begin(engine, contents)

    def wipe(self, engine: Any) -> None:
        self.caller.begin(engine, wipe)


def create_all(
    model: Model, default_schema: str | None, connection: sa.Connection
) -> None:
    # The other database of MariaDB has another name.
    options: Any = {"schema_translate_map": {default_schema: None}}
    model.metadata().create_all(connection.execution_options(**options))


def wipe(connection: sa.Connection) -> None:
    """Drop everything."""
    execute = connection.exec_driver_sql

    match connection.dialect.name:
        case "postgresql":
            for schema in "public", SCHEMA:
                execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
                execute(f"CREATE SCHEMA {schema}")
        case "sqlite":
            execute("PRAGMA foreign_keys = OFF")

            for (name,) in execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
                " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            ).all():
                execute(f'DROP TABLE "{name}"')
        case _:
            name = connection.engine.url.database
            execute(f"DROP DATABASE `{name}`")
            execute(f"CREATE DATABASE `{name}`")


def contents(connection: sa.Connection) -> Contents:
    inspector = sa.inspect(connection)
    is_postgresql = connection.dialect.name == "postgresql"
    found: Contents = {}

    for schema in [None, SCHEMA] if is_postgresql else [None]:
        found |= tables(inspector, schema)

        for name in inspector.get_view_names(schema):
            found[f"view {schema}.{name}"] = ()

    if is_postgresql:
        for row in connection.execute(
            sa.text(
                "SELECT nspname || '.' || typname,"
                " array(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid"
                " ORDER BY enumsortorder) FROM pg_type t JOIN pg_namespace n"
                " ON n.oid = typnamespace WHERE typtype = 'e'"
                " AND nspname IN ('public', 'other')"
            )
        ):
            found[f"enum {row[0]}"] = row[1]

        for schema in None, SCHEMA:
            for name in inspector.get_sequence_names(schema):
                found[f"sequence {schema}.{name}"] = ()

    return found


def tables(inspector: sa.Inspector, schema: str | None) -> Contents:
    kind = sa.engine.reflection.ObjectKind.TABLE
    found: Contents = {}
    parts: dict[str, Any] = {
        "columns": inspector.get_multi_columns(schema, kind=kind),
        "primary key": inspector.get_multi_pk_constraint(schema, kind=kind),
        "foreign keys": inspector.get_multi_foreign_keys(schema, kind=kind),
        "uniques": inspector.get_multi_unique_constraints(schema, kind=kind),
        "checks": inspector.get_multi_check_constraints(schema, kind=kind),
        "indexes": inspector.get_multi_indexes(schema, kind=kind),
    }

    if inspector.dialect.supports_comments:
        parts["comment"] = inspector.get_multi_table_comment(schema, kind=kind)

    for part, by_table in parts.items():
        for (_, table), value in by_table.items():
            if table != VERSION_TABLE:
                found.setdefault(f"table {schema}.{table}", {})[part] = value

    return found


def names_of(metadata: sa.MetaData) -> set[str]:
    """The names that the models give to indexes and constraints."""
    return {
        str(name)
        for table in metadata.tables.values()
        for name in (
            *(constraint.name for constraint in table.constraints),
            *(index.name for index in table.indexes),
        )
        if isinstance(name, str)
    }


def normalized(found: Contents, named: set[str]) -> Contents:
    """Contents without the order of columns, and the names that a database gave."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            items = {k: plain(v) for k, v in value.items()}

            if isinstance(items.get("default"), str):
                # A type that is changed leaves its cast there.
                items["default"] = items["default"].partition("::")[0]

            if "name" in items and "type" not in items:
                name = items["name"]
                items["name"] = name if name in named else None

                if items["name"] is None:
                    # It repeats the name.
                    items.pop("duplicates_index", None)

            return tuple(sorted(items.items()))

        if isinstance(value, (list, tuple)):
            return tuple(plain(v) for v in value)

        if isinstance(value, sa.types.TypeEngine):
            return repr(value)

        return str(value) if isinstance(value, sa.ClauseElement) else value

    result: Contents = {}

    for key, value in found.items():
        result[key] = value

        if isinstance(value, dict):
            result[key] = {}

            for part, items in value.items():
                if part in {"primary key", "comment"}:
                    result[key][part] = plain(items)
                else:
                    result[key][part] = sorted(map(plain, items), key=repr)

    return result


def missing(of: Contents, contents: Contents) -> Contents:
    """What is in contents, and not in others."""
    result: Contents = {}

    for key, value in contents.items():
        other = of.get(key)

        if isinstance(value, dict) and isinstance(other, dict):
            for part, items in value.items():
                if isinstance(items, list):
                    new = [item for item in items if item not in other[part]]
                else:
                    new = [items] if items != other[part] else []

                if new:
                    result[f"{key} {part}"] = new
        elif value != other:
            result[key] = value

    return result
