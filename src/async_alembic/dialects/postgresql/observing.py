"""Observes which locks a statement takes, and what it rewrites and scans.

In a transaction, the session itself can see them after the statement. What a statement
takes that runs outside of one is gone by then. Another session holds locks on all
tables meanwhile, so that the statement waits, and a third one looks.
"""

from __future__ import annotations

import contextlib
import re
import typing as t

import sqlalchemy as sa

from ...plans import Observed
from ...plans import TableLock
from ..base import Connect
from ..base import Repeated
from ..migrated import is_autocommit
from ..observing import Observer
from .notices import Notices

_of_users = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " AND n.nspname NOT LIKE 'pg_toast%'"
)
#: Tables and indexes with their files, and how often they were scanned.
_relations = sa.text(
    "SELECT c.oid, c.relkind, CASE WHEN n.nspname = current_schema() THEN c.relname"
    " ELSE n.nspname || '.' || c.relname END, c.relfilenode,"
    " coalesce(x.seq_scan, 0) + CASE WHEN :autocommit THEN coalesce(s.seq_scan, 0)"
    " ELSE 0 END FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_stat_xact_user_tables x ON x.relid = c.oid"
    " LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid"
    f" WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I') AND {_of_users}"
).bindparams(sa.bindparam("autocommit", type_=sa.Boolean))
_locks = sa.text(
    "SELECT relation, mode FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
    " WHERE l.locktype = 'relation' AND l.pid = :pid"
    " AND d.datname = current_database()"
).bindparams(sa.bindparam("pid", type_=sa.Integer))
_pid = sa.text("SELECT pg_backend_pid()")
#: New in PostgreSQL 15.
_flush = sa.text("SELECT pg_stat_force_next_flush()")
_terminate = sa.text("SELECT pg_terminate_backend(:pid)").bindparams(
    sa.bindparam("pid", type_=sa.Integer)
)


#: The modes of locks by the modes that each conflicts with
#: (https://www.postgresql.org/docs/current/explicit-locking.html).
_MODES = (
    *("ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"),
    *("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"),
)
_CONFLICTS = dict(
    zip(
        _MODES,
        ("7", "67", "4567", "34567", "23567", "234567", "1234567", "01234567"),
        strict=True,
    )
)


#: The id of a relation, and a mode.
_Lock: t.TypeAlias = tuple[int, str]


class _Relation(t.NamedTuple):
    kind: str
    name: str
    file: int
    scans: int


class _State(t.NamedTuple):
    relations: dict[int, _Relation]
    locks: set[_Lock]


class PostgreSQLObserver(Observer):
    """Observes the statements of a connection.

    :param connection: The connection that executes them.
    :param connect: Opens another connection to the database.
    :param repeated: Calls a function with other connections.
    """

    def __init__(
        self, connection: sa.Connection, connect: Connect, repeated: Repeated
    ) -> None:
        super().__init__(connection)
        self._connect = connect
        self._repeated = repeated
        self._notices = Notices(connection)
        self._pid: int = connection.scalar(_pid) or 0
        self._stack = contextlib.ExitStack()
        self._seen: set[_Lock] = set()
        self._before = self._look()
        #: What others can see, as it was there at the start.
        self._known = {*self._before.relations}
        connection.rollback()

    def before(self, cursor: t.Any, statement: str, parameters: t.Any) -> str:
        if is_autocommit(self._connection) and self._server_version >= (15,):
            self._connection.execute(_flush)

        self._before = self._look()
        self._notices.take()
        self._seen = set()

        if is_autocommit(self._connection):
            self._watch()

        return statement

    def after(self) -> Observed:
        self._stack.close()
        before, after = self._before, self._look()
        names = {**after.relations, **before.relations}
        changed = [
            (was, after.relations[oid])
            for oid, was in before.relations.items()
            if oid in after.relations and oid in self._known
        ]
        return Observed(
            locks=tuple(
                sorted(
                    TableLock(names[oid].name, mode)
                    for oid, mode in _strongest(after.locks | self._seen, before.locks)
                    if oid in self._known and names[oid].kind not in "iI"
                )
            ),
            rewritten=tuple(
                sorted(was.name for was, now in changed if was.file != now.file)
            ),
            scanned=tuple(
                sorted(was.name for was, now in changed if was.scans < now.scans)
            ),
            notices=self._notices.take(),
        )

    def close(self) -> None:
        self._stack.close()
        self._notices.close()

    @property
    def _server_version(self) -> tuple[t.Any, ...]:
        return self._connection.dialect.server_version_info or ()

    def _look(self) -> _State:
        autocommit = {"autocommit": is_autocommit(self._connection)}
        rows = self._connection.execute(_relations, autocommit)
        relations = {oid: _Relation(*values) for oid, *values in rows}
        locks = self._connection.execute(_locks, {"pid": self._pid})
        return _State(relations, {(oid, _readable(mode)) for oid, mode in locks})

    def _watch(self) -> None:
        """Let the next statement wait until its locks were seen."""
        quote = self._connection.dialect.identifier_preparer.quote_identifier
        tables = [
            ".".join(map(quote, name.split(".", 1)))
            for kind, name, _, _ in self._before.relations.values()
            if kind in "rp"
        ]

        if not tables:
            return

        holder = self._stack.enter_context(self._connect())
        # Its session may be terminated by then.
        self._stack.callback(holder.invalidate)
        holder_pid = holder.scalar(_pid)
        holder.exec_driver_sql(f"LOCK TABLE {', '.join(tables)} IN ROW EXCLUSIVE MODE")

        def look(connection: sa.Connection) -> None:
            seen = {
                (oid, _readable(mode))
                for oid, mode in connection.execute(_locks, {"pid": self._pid})
                if oid in self._known
            }
            self._seen |= seen

            if seen:
                connection.execute(_terminate, {"pid": holder_pid})

        self._stack.enter_context(self._repeated(look))


def _strongest(new: set[_Lock], held: set[_Lock]) -> set[_Lock]:
    """Return the locks that block more than the others, and than those before."""
    all_locks = new | held
    return {
        (oid, mode)
        for oid, mode in new - held
        if not any(
            {*_CONFLICTS[mode]} < {*_CONFLICTS[other]}
            for on, other in all_locks
            if on == oid
        )
    }


def _readable(mode: str) -> str:
    """Return ``ACCESS EXCLUSIVE`` for ``AccessExclusiveLock``."""
    return " ".join(re.findall(r"[A-Z][a-z]+", mode)[:-1]).upper()
