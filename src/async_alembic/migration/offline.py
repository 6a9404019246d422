"""Writes the revisions of one database as SQL, without a connection."""

from __future__ import annotations

import collections.abc as c
import functools
import typing as t

import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.ddl import DDLElement
from sqlalchemy.sql.visitors import replacement_traverse

from ..dialects import dialect_named
from ..dialects import Place
from ..errors import line_in
from ..errors import OfflineError
from . import op_per_task
from .engine_name import with_engine_name
from .literals import use_literals
from .operations import RevisionOperations

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

    from ..apps.project import Project
    from ..dialects.scripts import ScriptStyle
    from .environment import Steps
    from .planned_statements import StatementCollector


class SqlScript(t.NamedTuple):
    """The SQL of a migration.

    :param text: For the client program of the database; empty if nothing is to be done.
    :param statements: Those of the revisions and of the version table.
    """

    text: str
    statements: list[str]


class OfflineWriter:
    """Writes the revisions of one database.

    :param project: The files.
    :param name: The name of the database.
    :param url: Its URL. Only the dialect and the name of the database are used.
    :param is_default: Whether it is the default database.
    :param tag: What revisions get from ``context.get_tag_argument()``.
    :param collector: Gets the statements of each revision. With it, a revision that
        needs a database is noted there, and the next one is written.
    """

    def __init__(
        self,
        project: Project,
        name: str,
        url: sa.URL,
        is_default: bool,
        tag: str | None = None,
        collector: StatementCollector | None = None,
    ) -> None:
        self._project = project
        self._name = name
        self._url = url
        self._is_default = is_default
        self._tag = tag
        self._collector = collector
        self._dialect = dialect_named(url.get_backend_name())
        self._style = self._dialect.script_style

    def write(self, start: tuple[str, ...], steps: Steps) -> SqlScript:
        """Return the SQL of a migration.

        :param start: The ids of the revisions that the database is at.
        :param steps: Takes these and the migration context, and returns the steps.
        :raises OfflineError: If a revision needs a database.
        """
        output = _Output(self._style)

        def run(heads: t.Any, context: MigrationContext) -> c.Iterator[RevisionStep]:
            for number, step in enumerate(steps(heads, context) or ()):
                if number == 0 and heads:
                    versions = context.impl.dialect.identifier_preparer.format_table(
                        context._version
                    )

                    for statement in self._style.check_start(versions, heads):
                        output.add(statement)

                step.migration_fn = self._named(step)
                yield step

        environment_context = self._configure(start, run, output)
        context = environment_context.get_context()
        self._style.prepare(context.impl.dialect)
        use_literals(context.impl.dialect, self._style)
        _write_verbatim(context, self._style, output)
        place = Place(self._url.database, self._schema(context))

        if self._style.command is not None:
            output.write(f"-- Execute it by: {self._style.command}")

        operations = RevisionOperations(context)

        if self._collector is not None:
            collect = self._collector.add
            output.listen(lambda sql: collect(sql, operations.operation))

        with op_per_task.use(environment_context, operations):
            for name, value in self._project.settings.session(self._name).items():
                output.add(self._style.setting(name, value))

            if self._project.settings.lock:
                for statement in self._style.before(place, context.version_table):
                    output.add(statement)

            with environment_context.begin_transaction():
                # That of the environment would replace 'op' for all tasks.
                context.run_migrations()

            if self._project.settings.lock:
                for statement in self._style.after(place, context.version_table):
                    output.add(statement)

        return output.script()

    def _schema(self, context: MigrationContext) -> str | None:
        """Return the schema of the version table, as far as it is known."""
        path = self._project.settings.session(self._name).get("search_path")

        if context.version_table_schema or path is None:
            return context.version_table_schema

        return str(path).split(",")[0].strip(' "')

    def _configure(
        self, start: tuple[str, ...], run: Steps, output: _Output
    ) -> EnvironmentContext:
        options = self._project.settings.context_options()
        options.setdefault("transactional_ddl", self._dialect.transactional_ddl)
        environment_context = EnvironmentContext(
            self._project.config,
            self._project.scripts,
            fn=run,
            as_sql=True,
            starting_rev=start or "base",
            tag=self._tag,
        )
        environment_context.configure(
            dialect_name=self._url.get_backend_name(),
            # Other styles make the dialect double percent signs or colons.
            dialect_opts={"paramstyle": "named"},
            output_buffer=t.cast("t.TextIO", output),
            literal_binds=True,
            **options,
        )
        return environment_context

    def _named(self, step: RevisionStep) -> c.Callable[..., None]:
        """Return the function of a revision, with errors that name the revision."""
        engine_name = self._project.database_names.of(self._name)
        fn = with_engine_name(step.migration_fn, engine_name, self._is_default)

        # Alembic writes the name of the function.
        @functools.wraps(fn)
        def run(**kwargs: t.Any) -> None:
            try:
                fn(**kwargs)
            except Exception as e:
                script = t.cast("t.Any", step).revision
                line = line_in(script.path, e)
                advice = getattr(e, "advice", None)
                raise OfflineError(script.revision, script.path, line, e, advice) from e

        if self._collector is None:
            return run

        return self._collector.wrap(run, t.cast("t.Any", step).revision)


class _Output:
    """Collects the statements, and the comments that Alembic writes between them."""

    def __init__(self, style: ScriptStyle) -> None:
        self._style = style
        self._texts: list[str] = []
        self._statements: list[str] = []
        self._listener: c.Callable[[str], None] = lambda statement: None

    def listen(self, listener: c.Callable[[str], None]) -> None:
        """Call a function with each statement of a migration."""
        self._listener = listener

    def execute(self, statement: str) -> None:
        """Add a statement of a migration."""
        self._statements.append(statement)
        self._listener(statement)
        self.add(statement)

    def add(self, statement: str) -> None:
        self._texts.append(self._style.terminated(statement))

    def write(self, text: str) -> None:
        """Called by Alembic for whatever is not a statement of a revision."""
        text = text.strip()
        begins = text == "BEGIN;"
        self._texts.append(f"{self._style.begin};" if begins else text)

    def flush(self) -> None: ...

    def script(self) -> SqlScript:
        text = "".join(f"{text}\n\n" for text in self._texts)
        # Without a migration, nothing is worth a lock.
        return SqlScript(
            text.rstrip() + "\n" if self._statements else "", self._statements
        )


def _write_verbatim(
    context: MigrationContext, style: ScriptStyle, output: _Output
) -> None:
    """Write statements as they are. Alembic's own replaces tabs, and forgets parameters
    that are passed to a connection.
    """

    def execute(construct: t.Any, parameters: t.Any = None) -> None:
        for statement in _with_parameters(construct, parameters):
            is_ddl = isinstance(statement, DDLElement)

            if (
                isinstance(statement, CreateTable)
                and statement.element.name == context.version_table
            ):
                # A database at base can have it.
                statement.if_not_exists = style.creates_if_missing

            if is_ddl:
                compiled: t.Any = statement.compile(dialect=context.impl.dialect)
            else:
                compiled = _compile(statement, context.impl.dialect)

            output.execute(str(compiled).strip().rstrip(";"))

    def run(
        construct: t.Any,
        execution_options: object = None,
        multiparams: t.Any = None,
        params: t.Any = None,
    ) -> None:
        execute(construct, multiparams or params)

    impl: t.Any = context.impl
    # There is no public way: its subclasses call it for all that they execute.
    impl._exec = run
    connection = _OfflineConnection(impl.dialect, t.cast("t.Any", execute))
    context.connection = impl.connection = t.cast("t.Any", connection)


class _OfflineConnection(MockConnection):
    """What ``op.get_bind()`` returns. It writes statements, and has no results."""

    def exec_driver_sql(self, statement: str, parameters: t.Any = None) -> None:
        if parameters or "%%" in statement:
            raise TypeError(
                "Its parameters and '%%' depend on the driver. Use execute() instead"
            )

        self.execute(sa.text(statement.replace(":", r"\:")))


def _compile(statement: sa.ClauseElement, dialect: sa.Dialect) -> t.Any:
    """Compile a statement with its values, and with the defaults that a connection
    would add in Python.
    """
    options: dict[str, t.Any] = {
        "dialect": dialect,
        "compile_kwargs": {"literal_binds": True},
        # As with a connection, an INSERT leaves out what has no value.
        "column_keys": [],
    }
    compiled: t.Any = statement.compile(**options)
    defaults = {
        **{column: column.default for column in compiled.insert_prefetch},
        **{column: column.onupdate for column in compiled.update_prefetch},
    }

    if not defaults or getattr(statement, "select", None) is not None:
        return compiled

    values = {
        column: default.arg(None) if default.is_callable else default.arg
        for column, default in defaults.items()
    }
    return t.cast("t.Any", statement).values(values).compile(**options)


def _with_parameters(
    construct: t.Any, parameters: t.Any = None
) -> c.Iterator[sa.ClauseElement]:
    """Yield a statement with its parameters, once for each set of them."""
    statement = sa.text(construct) if isinstance(construct, str) else construct

    for values in parameters if isinstance(parameters, list) else [parameters]:
        if not values:
            yield statement
        elif isinstance(statement, sa.TextClause):
            yield statement.bindparams(**values)
        else:
            yield _bound(statement, values)


def _bound(statement: t.Any, values: c.Mapping[str, t.Any]) -> sa.ClauseElement:
    others = dict(values)

    def replace(element: t.Any, **kwargs: object) -> sa.BindParameter[t.Any] | None:
        if not isinstance(element, sa.BindParameter) or element.key not in values:
            return None

        others.pop(element.key, None)
        return sa.bindparam(element.key, values[element.key], type_=element.type)

    found: t.Any = replacement_traverse(statement, {}, replace)
    return t.cast("sa.ClauseElement", found.values(**others) if others else found)
