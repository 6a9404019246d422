"""``alembic.op`` and ``alembic.context``, resolved per task.

Alembic keeps the object behind each of these modules in a module global, so two
concurrent upgrades write into each other's database. While one of ours runs, the global
is a proxy that looks up the real object in a context variable, which has its own value
in each task and each thread.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import threading
import typing as t
from contextvars import ContextVar

import alembic.context
import alembic.op
from werkzeug.local import LocalProxy

if t.TYPE_CHECKING:
    from types import ModuleType

    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext

_missing = object()


class _ModulePerTask:
    """One of Alembic's proxy modules, which resolves per task while it is in use.

    :param module: ``alembic.op`` or ``alembic.context``.
    :param attributes: The names that Alembic copies into the module by value, as they
        are not methods.
    """

    def __init__(self, module: ModuleType, attributes: c.Iterable[str]) -> None:
        self._name = module.__name__
        self._globals = vars(module)
        self._current: ContextVar[t.Any] = ContextVar(self._name)
        # '_proxy' is private, but it is all that Alembic's functions look at.
        self._installed: dict[str, t.Any] = {
            "_proxy": LocalProxy(self._resolve),
            "__getattr__": self._get_attribute,
            **{
                name: LocalProxy(lambda name=name: getattr(self._resolve(), name))  # type: ignore[misc]
                for name in attributes
            },
        }
        # The previous values, for code that runs outside of our tasks.
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
        """Put the proxy back if a plain Alembic command replaced or removed it."""
        with self._lock:
            self._install()

    def _install(self) -> None:
        for name, ours in self._installed.items():
            found = self._globals.get(name, _missing)

            if found is not ours:
                self._saved[name] = found
                self._globals[name] = ours

    def _restore(self) -> None:
        for name, value in self._saved.items():
            # A plain Alembic command may have replaced it meanwhile.
            if self._globals.get(name) is self._installed[name]:
                if value is _missing:
                    del self._globals[name]
                else:
                    self._globals[name] = value

        self._saved.clear()

    def _resolve(self) -> t.Any:
        target = self._current.get(None) or self._saved.get("_proxy")

        if target is None or target is _missing:
            raise NameError(f"'{self._name}' was used while no migration is running.")

        return target

    def _get_attribute(self, name: str) -> t.Any:
        if name.startswith("_"):
            raise AttributeError(name)

        try:
            return getattr(self._resolve(), name)
        except NameError as e:
            raise AttributeError(str(e)) from None


_op = _ModulePerTask(alembic.op, ())
_context = _ModulePerTask(alembic.context, ("config", "script"))


@contextlib.contextmanager
def use(environment_context: EnvironmentContext, op: Operations) -> c.Iterator[None]:
    """Make ``alembic.context`` and ``alembic.op`` refer to these, in this task only.

    :param environment_context: The target of ``alembic.context``.
    :param op: The target of ``alembic.op``.
    """
    with _context.use(environment_context), _op.use(op):
        yield


def reinstall() -> None:
    """Put the proxies back after a plain Alembic command has replaced them."""
    _context.reinstall()
    _op.reinstall()
