"""The exceptions that this package raises.

::

    AsyncAlembicError                 the base of all; a RuntimeError
    ├── ConfigurationError            a key, an argument or a folder is wrong
    │   ├── AppError                  no app, several apps, or an unregistered app
    │   ├── TargetError               engines or metadata are missing or do not match
    │   └── ScriptLocationError       there is no script directory
    ├── BlockingCallError             a blocking call where an event loop is running
    ├── DatabaseConnectionError       a database is unreachable or refuses the login
    ├── RevisionError                 a target cannot be resolved or reached
    │   ├── RevisionNotFoundError     no such revision or branch
    │   ├── AmbiguousRevisionError    a partial id matches several revisions
    │   ├── MultipleHeadsError        several heads where one is needed
    │   ├── HeadFileError             a head file does not name the last revision
    │   ├── SquashError               revisions do more than one can write again
    │   ├── NotUpToDateError          the database must be at head first
    │   ├── RevisionIdError           an id is too long for the version table
    │   └── UnknownRevisionInDatabaseError
    │                                 the database is at a revision unknown to the code
    ├── RevisionFileError             a revision file is broken or duplicated
    ├── OfflineError                  a revision cannot be written as SQL
    ├── PlanError                     revisions cannot be tried out
    ├── DatabaseError                 a database rejected a statement
    ├── MigrationError                a revision failed
    ├── ReadOnlyError                 the server is a replica, or refuses to write
    ├── PartialRevisionError          a revision that failed earlier is half applied
    │   └── ResumeError               it cannot be resumed
    ├── ForeignKeyError               a migration would violate a foreign key
    ├── BatchError                    a batch change would break a view or a trigger
    ├── LockTimeout                   another migration did not finish in time
    ├── LockLostError                 the lock was lost during a migration
    ├── LockUnavailableError          the database cannot be locked
    ├── WaitTimeoutError              the databases did not become current in time
    └── FreshDatabaseError            a test database cannot be created

A message says what is wrong, where, and what to do. The attributes hold the same
information. No message contains a password.
"""

from .base import AsyncAlembicError as AsyncAlembicError
from .base import causes_of as causes_of
from .base import is_connection_lost as is_connection_lost
from .databases import BatchError as BatchError
from .databases import converted_database_errors as converted_database_errors
from .databases import DatabaseError as DatabaseError
from .databases import ForeignKeyError as ForeignKeyError
from .databases import MigrationError as MigrationError
from .databases import PartialRevisionError as PartialRevisionError
from .databases import ReadOnlyError as ReadOnlyError
from .databases import ResumeError as ResumeError
from .plugins import plugin_errors as plugin_errors
from .quoting import first_line as first_line
from .quoting import line_in as line_in
from .quoting import listed as listed
from .quoting import with_class as with_class
from .revisions import AmbiguousRevisionError as AmbiguousRevisionError
from .revisions import HeadFileError as HeadFileError
from .revisions import MultipleHeadsError as MultipleHeadsError
from .revisions import NotUpToDateError as NotUpToDateError
from .revisions import OfflineError as OfflineError
from .revisions import PlanError as PlanError
from .revisions import RevisionError as RevisionError
from .revisions import RevisionFileError as RevisionFileError
from .revisions import RevisionIdError as RevisionIdError
from .revisions import RevisionNotFoundError as RevisionNotFoundError
from .revisions import SquashError as SquashError
from .revisions import UnknownRevisionInDatabaseError as UnknownRevisionInDatabaseError
from .setup import AppError as AppError
from .setup import BlockingCallError as BlockingCallError
from .setup import ConfigurationError as ConfigurationError
from .setup import DatabaseConnectionError as DatabaseConnectionError
from .setup import ScriptLocationError as ScriptLocationError
from .setup import TargetError as TargetError
from .setup import wrap_setting_errors as wrap_setting_errors
from .testing import FreshDatabaseError as FreshDatabaseError
from .waiting import LockLostError as LockLostError
from .waiting import LockTimeout as LockTimeout
from .waiting import LockUnavailableError as LockUnavailableError
from .waiting import WaitTimeoutError as WaitTimeoutError
