"""Checks of a migration history. Each is a function that raises an assertion error.

They take an open environment or the revision files, and do not depend on pytest,
engines, event loops or threads.
"""

from .results import CheckFailedError as CheckFailedError
from .results import CheckSkippedError as CheckSkippedError
