"""Async-first database migrations for Quart and Flask, on Alembic and SQLAlchemy 2.

:class:`Alembic` has async methods, :class:`SyncAlembic` the same methods, blocking.
Importing this package does not import Alembic or a framework.
"""

import importlib
import typing as t

from .errors import AmbiguousRevisionError
from .errors import AppError
from .errors import AsyncAlembicError
from .errors import BatchError
from .errors import BlockingCallError
from .errors import ConfigurationError
from .errors import DatabaseConnectionError
from .errors import DatabaseError
from .errors import ForeignKeyError
from .errors import FreshDatabaseError
from .errors import HeadFileError
from .errors import LockLostError
from .errors import LockTimeout
from .errors import LockUnavailableError
from .errors import MigrationError
from .errors import MultipleHeadsError
from .errors import NotUpToDateError
from .errors import OfflineError
from .errors import PartialRevisionError
from .errors import PlanError
from .errors import ReadOnlyError
from .errors import ResumeError
from .errors import RevisionError
from .errors import RevisionFileError
from .errors import RevisionIdError
from .errors import RevisionNotFoundError
from .errors import ScriptLocationError
from .errors import SquashError
from .errors import TargetError
from .errors import UnknownRevisionInDatabaseError
from .errors import WaitTimeoutError

if t.TYPE_CHECKING:
    from .extension.awaited import Alembic
    from .extension.blocking import SyncAlembic
    from .extension.env_py import run_env_py
    from .migration.environment import Environment
    from .plans import Finding
    from .plans import Observed
    from .plans import Plan
    from .plans import PlannedRevision
    from .plans import PlannedStatement
    from .plans import TableLock
    from .results import Adoption
    from .results import AppliedRevision
    from .results import Change
    from .results import DatabaseStatus
    from .results import DataLoss
    from .results import LockHolder
    from .results import MoveIn
    from .results import PartialRevision
    from .results import Rebase
    from .results import Squash
    from .results import TenantResult
    from .signals import migration_failed
    from .signals import migrations_finished
    from .signals import migrations_started
    from .signals import migrations_waiting
    from .signals import revision_applied
    from .signals import revision_started

__all__ = [
    "Adoption",
    "Alembic",
    "AmbiguousRevisionError",
    "AppError",
    "AppliedRevision",
    "AsyncAlembicError",
    "BatchError",
    "BlockingCallError",
    "Change",
    "ConfigurationError",
    "DataLoss",
    "DatabaseConnectionError",
    "DatabaseError",
    "DatabaseStatus",
    "Environment",
    "Finding",
    "ForeignKeyError",
    "FreshDatabaseError",
    "HeadFileError",
    "LockHolder",
    "LockLostError",
    "LockTimeout",
    "LockUnavailableError",
    "MigrationError",
    "MoveIn",
    "MultipleHeadsError",
    "NotUpToDateError",
    "Observed",
    "OfflineError",
    "PartialRevision",
    "PartialRevisionError",
    "Plan",
    "PlanError",
    "PlannedRevision",
    "PlannedStatement",
    "ReadOnlyError",
    "Rebase",
    "ResumeError",
    "RevisionError",
    "RevisionFileError",
    "RevisionIdError",
    "RevisionNotFoundError",
    "ScriptLocationError",
    "Squash",
    "SquashError",
    "SyncAlembic",
    "TenantResult",
    "TableLock",
    "TargetError",
    "UnknownRevisionInDatabaseError",
    "WaitTimeoutError",
    "migration_failed",
    "migrations_finished",
    "migrations_started",
    "migrations_waiting",
    "revision_applied",
    "revision_started",
    "run_env_py",
]

#: Names that are imported on first use, because not every app needs them to start.
_lazy_modules = {
    "Adoption": "results",
    "Alembic": "extension.awaited",
    "AppliedRevision": "results",
    "Change": "results",
    "DataLoss": "results",
    "DatabaseStatus": "results",
    "Environment": "migration.environment",
    "Finding": "plans",
    "LockHolder": "results",
    "MoveIn": "results",
    "Observed": "plans",
    "PartialRevision": "results",
    "Plan": "plans",
    "PlannedRevision": "plans",
    "PlannedStatement": "plans",
    "Rebase": "results",
    "Squash": "results",
    "SyncAlembic": "extension.blocking",
    "TenantResult": "results",
    "TableLock": "plans",
    "migration_failed": "signals",
    "migrations_finished": "signals",
    "migrations_started": "signals",
    "migrations_waiting": "signals",
    "revision_applied": "signals",
    "revision_started": "signals",
    "run_env_py": "extension.env_py",
}


def __getattr__(name: str) -> t.Any:
    if name in _lazy_modules:
        module = importlib.import_module(f".{_lazy_modules[name]}", __name__)
        return getattr(module, name)

    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_lazy_modules})
