"""What is known of the comparisons that are running.

Alembic calls our functions with its migration context.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import typing as t
import weakref

import sqlalchemy as sa
from alembic.operations import ops

from ..dialects import dialect_of
from ..errors import listed
from .changed_columns import key_of
from .default_questions import Questions
from .unknown_tables import full_name
from .unknown_tables import log

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from .changed_columns import ColumnKey
    from .default_questions import Key
    from .renames import Renames
    from .unknown_tables import TableKey
    from .unknown_tables import UnknownTables

    Filter: t.TypeAlias = c.Callable[..., bool]


@dataclasses.dataclass
class Comparison:
    """A comparison of one database.

    :param unknown_tables: The tables that are in no model.
    :param questions: What is asked about server defaults.
    :param dialect: The dialect of the connection.
    :param can_leave_out: Whether Alembic may be kept from comparing a table, because
        the app has no filter that expects its objects.
    :param unchanged: The tables that Alembic need not compare.
    :param renames: What was renamed.
    :param undecided: The columns whose defaults count as changed until the end.
    :param views: The views of the models, which are not compared.
    :param invalid: The indexes that the database does not use.
    :param checks: The conditions of checks that a change of their column drops.
    :param exclusions: The definitions of exclusion constraints, by table and name.
    :param left_out: What of the models the app's ``include_object`` has left out.
    """

    unknown_tables: UnknownTables
    questions: Questions
    dialect: sa.Dialect
    can_leave_out: bool
    renames: Renames
    unchanged: set[TableKey] = dataclasses.field(default_factory=set)
    undecided: dict[ColumnKey, Key] = dataclasses.field(default_factory=dict)
    views: list[TableKey] = dataclasses.field(default_factory=list)
    invalid: list[str] = dataclasses.field(default_factory=list)
    checks: dict[ColumnKey, str] = dataclasses.field(default_factory=dict)
    exclusions: dict[TableKey, dict[str, str]] = dataclasses.field(default_factory=dict)
    left_out: list[str] = dataclasses.field(default_factory=list)

    @property
    def default_schema(self) -> str | None:
        """The name of the default schema."""
        return self.dialect.default_schema_name

    def filters(
        self, options: c.Mapping[str, t.Any], pause: c.Callable[[], None]
    ) -> dict[str, Filter]:
        """Return filters that leave out the unchanged tables, and unknown ones. Alembic
        calls them for everything that it compares.

        :param options: The options of the migration context, with the app's filters.
        :param pause: Is called by each of them.
        """
        name_filter: Filter | None = options.get("include_name")
        object_filter: Filter | None = options.get("include_object")

        def include_name(name: t.Any, type_: str, parents: t.Any) -> bool:
            pause()

            if type_ == "table":
                # The only names that have no schema are those of schemas.
                table = parents["schema_name"], name

                if table in self.unchanged or not self.unknown_tables.is_compared(
                    *table
                ):
                    return False

            return name_filter is None or name_filter(name, type_, parents)

        def include_object(
            item: t.Any, name: t.Any, type_: str, reflected: bool, other: t.Any
        ) -> bool:
            pause()

            if type_ == "table" and not reflected and self.is_unchanged(item):
                return False

            if type_ == "check_constraint" and not reflected:
                if not is_made(item, self.dialect):
                    return False

            if object_filter is not None and not object_filter(
                item, name, type_, reflected, other
            ):
                if not reflected:
                    self._note(item, name, type_)

                return False

            # SQLAlchemy 2.1 has views among the tables, and reads none.
            if type_ == "table" and getattr(item, "is_view", False):
                if self._key(item) not in self.views:
                    self.views.append(self._key(item))

                return False

            is_removed = type_ == "table" and reflected and other is None
            return not is_removed or self.unknown_tables.is_dropped(*self._key(item))

        return {"include_name": include_name, "include_object": include_object}

    def is_unchanged(self, table: sa.Table) -> bool:
        """Return whether Alembic need not compare a table of the models."""
        return self._key(table) in self.unchanged

    def _note(self, item: t.Any, name: t.Any, type_: str) -> None:
        table = getattr(item, "table", None)
        path = f"{table.name}.{name}" if table is not None else name
        text = f"{type_.replace('_', ' ')} {path}"

        if text not in self.left_out:
            self.left_out.append(text)

    def _key(self, table: sa.Table) -> TableKey:
        schema = None if table.schema == self.default_schema else table.schema
        return schema, table.name

    def note_invalid(
        self, indexes: c.Mapping[TableKey, c.Iterable[c.Mapping[str, t.Any]]]
    ) -> None:
        """Note the indexes that a server does not use, as making them has failed.

        :param indexes: What was read of all indexes, by table.
        """
        self.invalid += [
            f"{info['name']} on {full_name(table)}"
            for table, infos in indexes.items()
            for info in infos
            # That of PostgreSQL, whose name may not stand here.
            if any(
                option.endswith("_invalid")
                for option in info.get("dialect_options", {})
            )
        ]

    def warn(self, database: str) -> None:
        """Log what is not compared.

        :param database: The name of the database.
        """
        if self.views:
            log.warning(
                "The models of database '%s' have views, which are not compared: %s."
                " Create, change and drop them in revisions by hand.",
                database,
                listed([*map(full_name, self.views)]),
            )

        if self.invalid:
            log.warning(
                "Database '%s' has invalid indexes, which it does not use, as creating"
                " them has failed: %s. Drop them and create them again.",
                database,
                listed(self.invalid),
            )

    def decide(self, connection: sa.Connection, upgrade_ops: ops.UpgradeOps) -> None:
        """Remove the changes of server defaults that are equal.

        :param connection: The connection to the database.
        :param upgrade_ops: The operations that Alembic has detected.
        """
        answers = self.questions.answers(connection)
        equal = {column for column, key in self.undecided.items() if answers[key]}

        for table in [*upgrade_ops.ops] if equal else ():
            if isinstance(table, ops.ModifyTableOps):
                _remove_changes(table, equal)

                if table.is_empty():
                    upgrade_ops.ops.remove(table)


def is_made(check: sa.CheckConstraint, dialect: sa.Dialect) -> bool:
    """Return whether a table gets a check. One of a Boolean or an Enum is left out
    where the database has such types.
    """
    # There's no public way to ask for it.
    rule: t.Any = check._create_rule
    # A statement that adds the check would keep create_all() from making it.
    return rule is None or bool(
        rule(dialect.ddl_compiler(dialect, t.cast("t.Any", None)))
    )


def _remove_changes(table: ops.ModifyTableOps, columns: c.Container[ColumnKey]) -> None:
    for op in [*table.ops]:
        if isinstance(op, ops.AlterColumnOp):
            if key_of(op) in columns:
                op.modify_server_default = False

                if not op.has_changes():
                    table.ops.remove(op)


_running: weakref.WeakKeyDictionary[MigrationContext, Comparison] = (
    weakref.WeakKeyDictionary()
)


@contextlib.contextmanager
def running(
    context: MigrationContext,
    unknown_tables: UnknownTables,
    pause: c.Callable[[], None],
    renames: Renames,
) -> c.Iterator[Comparison]:
    """Prepare a migration context for a comparison.

    :param context: Alembic's migration context.
    :param unknown_tables: The tables that are in no model.
    :param pause: Yields to other tasks. A comparison takes a second for a few hundred
        tables.
    :param renames: What was renamed.
    """
    connection, options = context.connection, context.opts
    assert connection is not None
    _running[context] = comparison = Comparison(
        unknown_tables,
        Questions(context.impl, dialect_of(connection).defaults),
        connection.dialect,
        can_leave_out=options.get("include_object") is None,
        renames=renames,
    )
    filters = comparison.filters(options, pause)
    before = {name: options.get(name) for name in filters}
    options.update(filters)

    try:
        with dialect_of(connection).comparing(context.impl):
            yield comparison
    finally:
        options.update(before)
        del _running[context]


def comparison_of(context: MigrationContext) -> Comparison | None:
    """Return the comparison that is running for a migration context."""
    return _running.get(context)
