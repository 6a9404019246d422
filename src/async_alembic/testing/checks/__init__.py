"""What can be wrong with a history, each as a function that raises an assertion error.

They take an open environment or the files, and know no pytest, engine, loop or thread.
"""

from .failures import CheckFailedError as CheckFailedError
from .failures import Impossible as Impossible
