"""The signals that are sent while databases are upgraded or downgraded.

The sender is the app, as with the signals of Flask and Quart. All data is passed by
keyword, and more may be added, so a receiver ends with ``**extra``.
"""

from __future__ import annotations

from blinker import NamedSignal
from blinker import Namespace

_namespace = Namespace()

migrations_waiting: NamedSignal = _namespace.signal(
    "migrations-waiting",
    """Sent while another migrator is waited for: after 2 s, then each 30 s.

    :param database: The name of the database.
    :param seconds: How long it has been waited for, in seconds.
    :param holder: Who holds the lock, a :class:`LockHolder`; ``None`` if unknown.
    """,
)

migrations_started: NamedSignal = _namespace.signal(
    "migrations-started",
    """Sent before the first revision runs, with the lock held.

    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param databases: The names of the databases that the call is for.
    """,
)

revision_started: NamedSignal = _namespace.signal(
    "revision-started",
    """Sent before a revision runs.

    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param database: The name of the database.
    :param revision: The id of the revision.
    :param message: What the revision does.
    :param number: Counts the revisions of this database, from 1.
    :param total: How many revisions are to be run in this database.
    """,
)

revision_applied: NamedSignal = _namespace.signal(
    "revision-applied",
    """Sent when a revision has run and its id is written. It may not be committed yet.

    Has the parameters of :data:`revision_started`, and:

    :param seconds: How long the revision took, in seconds.
    """,
)

migrations_finished: NamedSignal = _namespace.signal(
    "migrations-finished",
    """Sent after the last commit.

    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param revisions: The ids of the revisions that were run, in order, by the name of
        the database.
    """,
)

migration_failed: NamedSignal = _namespace.signal(
    "migration-failed",
    """Sent when an upgrade or downgrade has failed, and what can be is rolled back.

    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param error: The exception that the call raises.
    """,
)

#: Sent when a revision executes a statement, and with ``None`` when that has ended. For
#: the command line only: it comes in the middle of SQLAlchemy's work.
statement_changed: NamedSignal = _namespace.signal("statement-changed")
