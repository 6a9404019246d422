"""``alembic.op`` and ``alembic.context``, resolved per task.

Alembic keeps the object behind these modules in a module global, so that two upgrades
at once write into each other's database. While one of ours runs, the global holds an
object that looks the real one up in a context variable instead, which each task and
each thread has its own value of.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import threading
import typing as t
from contextvars import ContextVar

import alembic.context
import alembic.op

if t.TYPE_CHECKING:
    from types import ModuleType

    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext

_missing = object()


class _Dispatcher:
    """Stands where a module has its ``_proxy``, and delegates to the current task's."""

    def __init__(self, module: ModuleType, current: ContextVar[t.Any]) -> None:
        self._module = module
        self._current = current
        # What was installed before, for code that runs outside of our tasks.
        self._previous: t.Any = None

    def __getattr__(self, name: str) -> t.Any:
        target = self._current.get(None) or self._previous

        if target is None:
            raise NameError(
                f"'{self._module.__name__}.{name}' was used where no migration is"
                " running."
            )

        return getattr(target, name)


class _ModulePerTask:
    """One of Alembic's proxy modules, made to resolve per task while it is in use.

    :param module: ``alembic.op`` or ``alembic.context``.
    :param attributes: The names that Alembic copies into the module, as they are no
        methods.
    """

    def __init__(self, module: ModuleType, attributes: c.Iterable[str]) -> None:
        self._globals = vars(module)
        self._current: ContextVar[t.Any] = ContextVar(module.__name__)
        self._dispatcher = _Dispatcher(module, self._current)
        self._attributes = tuple(attributes)
        self._saved: dict[str, t.Any] = {}
        self._lock = threading.Lock()
        self._users = 0

    @contextlib.contextmanager
    def use(self, target: object) -> c.Iterator[None]:
        with self._lock:
            self._users += 1
            self._install()

        token = self._current.set(target)

        try:
            yield
        finally:
            self._current.reset(token)

            with self._lock:
                self._users -= 1

                if not self._users:
                    self._restore()

    def reinstall(self) -> None:
        """Put the dispatcher back if a plain Alembic command removed it."""
        with self._lock:
            self._install()

    def _install(self) -> None:
        # '_proxy' is private, and the only place where Alembic's functions look.
        if self._globals.get("_proxy") is self._dispatcher:
            return

        for name in ("_proxy", "__getattr__", *self._attributes):
            self._saved[name] = self._globals.pop(name, _missing)

        previous = self._saved["_proxy"]
        self._dispatcher._previous = None if previous is _missing else previous
        self._globals["_proxy"] = self._dispatcher
        self._globals["__getattr__"] = self._get_attribute

    def _restore(self) -> None:
        self._dispatcher._previous = None

        if self._globals.get("_proxy") is not self._dispatcher:
            # A plain Alembic command is at work, and cleans up after itself.
            self._globals.pop("__getattr__", None)
            return

        for name, value in self._saved.items():
            if value is _missing:
                self._globals.pop(name, None)
            else:
                self._globals[name] = value

    def _get_attribute(self, name: str) -> t.Any:
        if name.startswith("_"):
            raise AttributeError(name)

        try:
            return getattr(self._dispatcher, name)
        except NameError as e:
            raise AttributeError(str(e)) from None


_op = _ModulePerTask(alembic.op, ())
_context = _ModulePerTask(alembic.context, ("config", "script"))


@contextlib.contextmanager
def isolated(
    environment_context: EnvironmentContext, op: Operations
) -> c.Iterator[None]:
    """Make ``alembic.context`` and ``alembic.op`` mean these, in this task alone.

    :param environment_context: What ``alembic.context`` stands for.
    :param op: What ``alembic.op`` stands for.
    """
    with _context.use(environment_context), _op.use(op):
        yield


def reinstall() -> None:
    """Mend what a plain Alembic command, run meanwhile, left behind."""
    _context.reinstall()
    _op.reinstall()
