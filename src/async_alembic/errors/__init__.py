"""What can go wrong, as one tree.

::

    AsyncAlembicError                 everything below; a RuntimeError
    ├── ConfigurationError            a key, an argument or a folder is wrong
    │   ├── AppError                  no app, several, or one that is not registered
    │   ├── TargetError               engines and metadata are missing or do not match
    │   └── ScriptLocationError       there is no script directory
    ├── BlockingCallError             a blocking call where an event loop is running
    ├── DatabaseConnectionError       a database is out of reach or refuses the login
    ├── RevisionError                 a target cannot be resolved or reached
    │   ├── RevisionNotFoundError     no such revision or branch
    │   ├── AmbiguousRevisionError    a partial id fits several revisions
    │   ├── MultipleHeadsError        several heads where one is needed
    │   ├── NotUpToDateError          the database must be at head first
    │   └── UnknownRevisionInDatabaseError
    │                                 the database is at a revision unknown to the code
    ├── RevisionFileError             a revision file is broken, or there twice
    ├── DatabaseError                 a database refused a statement
    ├── MigrationError                a revision failed while it was applied
    ├── PartialRevisionError          one that failed before is half applied
    ├── ForeignKeyError               a migration would leave a row that refers to none
    ├── BatchError                    a batch change would break something
    ├── LockTimeout                   another migrator did not end in time
    ├── LockLostError                 the lock was lost while migrating
    ├── LockUnavailableError          there are no locks where the database is
    ├── WaitTimeoutError              the databases were not current in time
    └── FreshDatabaseError            a database cannot be made for a test

Every message is one sentence or two: what is wrong, by its name, and the way out. The
attributes carry the same as data. No message holds a password.
"""

from .base import AsyncAlembicError as AsyncAlembicError
from .base import first_line as first_line
from .databases import BatchError as BatchError
from .databases import DatabaseError as DatabaseError
from .databases import ForeignKeyError as ForeignKeyError
from .databases import MigrationError as MigrationError
from .databases import PartialRevisionError as PartialRevisionError
from .revisions import AmbiguousRevisionError as AmbiguousRevisionError
from .revisions import MultipleHeadsError as MultipleHeadsError
from .revisions import NotUpToDateError as NotUpToDateError
from .revisions import RevisionError as RevisionError
from .revisions import RevisionFileError as RevisionFileError
from .revisions import RevisionNotFoundError as RevisionNotFoundError
from .revisions import UnknownRevisionInDatabaseError as UnknownRevisionInDatabaseError
from .setup import AppError as AppError
from .setup import BlockingCallError as BlockingCallError
from .setup import ConfigurationError as ConfigurationError
from .setup import DatabaseConnectionError as DatabaseConnectionError
from .setup import ScriptLocationError as ScriptLocationError
from .setup import TargetError as TargetError
from .testing import FreshDatabaseError as FreshDatabaseError
from .waiting import LockLostError as LockLostError
from .waiting import LockTimeout as LockTimeout
from .waiting import LockUnavailableError as LockUnavailableError
from .waiting import WaitTimeoutError as WaitTimeoutError
