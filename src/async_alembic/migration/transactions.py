"""The transactions and the session settings of a migration."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

from .locking import Locks
from .operations import RevisionOperations
from .version_table import qualified_version_table
from .version_table import reused_version_update

if t.TYPE_CHECKING:
    from ..dialects.migrated import MigratedConnection
    from .environment import Environment

#: How many compiled statements to keep. A loop over rows repeats a few of them.
MAX_COMPILED = 50
#: Those of a session, which one migration after another may use.
_COMPILED = "async_alembic_compiled"


class Transactions:
    """The transactions of the databases of a migration.

    :param env: The files and the open databases.
    :param locks: The locks against other migrators.
    :ivar connections: The migrating connections, by the name of the database.
    """

    def __init__(self, env: Environment, locks: Locks) -> None:
        self._env = env
        self._locks = locks
        self.connections: dict[str, MigratedConnection] = {}
        #: The names of the databases where a complete revision has ended its
        #: transaction.
        self._left: set[str] = set()

    def is_open(self, name: str) -> bool:
        """Return whether the transaction of a database is open."""
        # There's no public way to check.
        return self._env.contexts[name]._transaction is not None

    def check_lock(self, name: str, *, throttled: bool = False) -> None:
        """Check that the lock of a database is still held.

        :param name: The name of the database.
        :param throttled: See :meth:`.MigrationLock.check`.
        :raises LockLostError: If the lock was lost.
        """
        self._locks.check(name, throttled=throttled)

    def is_all_or_nothing(self, name: str) -> bool:
        """Return whether nothing of what was done to a database was committed."""
        options = self._env.project.settings.context_options()
        has_committed = name in self._left or self.connections[name].has_committed
        in_one = self._env.dialect(name).is_atomic and not has_committed
        return in_one and not options.get("transaction_per_migration")

    def notice_end(self, name: str) -> None:
        """Notice that a revision that fails has ended its transaction."""
        # There's no public way to read it.
        transaction = self._env.contexts[name]._transaction

        if transaction is not None and not transaction.is_active:
            self.connections[name].has_committed = True

    def reopen(self, name: str) -> None:
        """Begin the transaction again if a revision has ended it, as
        ``op.get_bind().commit()`` does. First commit the rest of that revision, which
        would be half applied if the next one failed.

        :param name: The name of the database.
        """
        connection, context = self._env.connection(name), self._env.contexts[name]
        # There's no public way to read or replace it.
        transaction = context._transaction
        is_active = transaction is not None and transaction.is_active
        migrated = self.connections[name]

        if is_active and not migrated.has_committed:
            return

        migrated.has_committed = False
        self._left.add(name)

        if connection.in_transaction():
            connection.commit()

        if transaction is not None:
            context._transaction = connection.begin()


@contextlib.contextmanager
def begin_transactions(
    env: Environment,
    names: c.Collection[str],
    locks: Locks | None = None,
    *,
    single: bool = False,
) -> c.Iterator[Transactions]:
    """Begin the transactions of databases. If anything fails, all are rolled back.
    Otherwise they are committed one after another; if a commit fails, the remaining
    ones are rolled back.

    :param env: The files and the open databases.
    :param names: The names of the databases.
    :param locks: The locks against other migrators, if any.
    :param single: Whether to use one transaction even where each revision has its own.
    """
    locks = locks or Locks(env, ())
    transactions = Transactions(env, locks)

    failure: list[BaseException] = []

    with _first_error(failure), contextlib.ExitStack() as stack:
        for name in locks.in_order(names):
            connection = env.idle_connection(name)
            compiled = connection.info.setdefault(_COMPILED, CompiledCache())
            connection.execution_options(compiled_cache=compiled)
            env.dialect(name).use_transactions(connection)

            with kept_alive_except(env, name, names):
                stack.enter_context(locks.acquired(name))

            transactions.connections[name] = stack.enter_context(
                env.dialect(name).migrating(
                    connection, locks.get(name), locks.wait(name)
                )
            )

        for name in names:
            context = env.contexts[name]
            stack.enter_context(qualified_version_table(env, name))
            stack.enter_context(reused_version_update(context))
            stack.enter_context(_dialect_operations(transactions, env, name))

            with kept_alive_except(env, name, names):
                stack.enter_context(context.begin_transaction())

                if single:
                    # Begins a transaction even with 'transaction_per_migration'.
                    stack.enter_context(context.begin_transaction(_per_migration=True))

        try:
            yield transactions

            for name in names:
                if transactions.is_open(name):
                    transactions.check_lock(name)
        except BaseException as e:
            failure.append(e)
            # Nothing is left to do but to roll back.
            env.databases.time_limit.start()
            raise


def kept_alive_except(
    env: Environment, name: str, names: c.Iterable[str]
) -> contextlib.AbstractContextManager[None]:
    """Keep the connections to databases alive while one of them is waited for or
    migrated.

    :param name: The name of that one.
    :param names: The names of all.
    """
    return env.databases.kept_alive([other for other in names if other != name])


@contextlib.contextmanager
def _first_error(failure: list[BaseException]) -> c.Iterator[None]:
    """Raise the error that has caused a rollback, if there is one, even if the rollback
    fails as well, as on a lost connection.
    """
    try:
        yield
    except Exception as e:
        if failure and failure[0] is not e:
            raise failure[0] from failure[0].__cause__

        raise


class CompiledCache(dict[t.Any, t.Any]):
    """Recently compiled statements, for SQLAlchemy's execution option
    ``compiled_cache``.

    Most statements of a migration are executed once. In the cache of the app's engine
    they would displace the statements that the app uses all the time.
    """

    def __setitem__(self, key: t.Any, compiled: t.Any) -> None:
        if len(self) >= MAX_COMPILED:
            self.clear()

        super().__setitem__(key, compiled)


@contextlib.contextmanager
def _dialect_operations(
    transactions: Transactions, env: Environment, name: str
) -> c.Iterator[None]:
    """Give revisions the dialect's ``autocommit_block`` and ``batch_alter_table``."""
    context = env.contexts[name]
    ops = t.cast("RevisionOperations", env.ops[name])
    migrated = transactions.connections[name]
    alembic_block = context.autocommit_block

    def block() -> contextlib.AbstractContextManager[None]:
        # Alembic's block fails where the revision has ended the transaction.
        transactions.reopen(name)
        # Entering the block commits.
        transactions.check_lock(name)
        return migrated.autocommit_block(alembic_block)

    # Alembic creates the context itself, so there is no class to extend.
    context.autocommit_block = block  # type: ignore[assignment, method-assign]
    ops.migrated = migrated

    try:
        yield
    finally:
        del context.autocommit_block
        ops.migrated = None
