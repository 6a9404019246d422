"""The apps that an extension is registered on."""

from __future__ import annotations

import collections.abc as c
import contextlib
import copy
import dataclasses
import typing as t
from contextvars import ContextVar
from weakref import WeakKeyDictionary

from ..errors import AppError
from .app_state import AppState
from .arguments import Arguments
from .current import current_apps
from .options import NO_OPTIONS
from .settings import set_defaults
from .tenants import ANY_TENANT

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from .tenants import Tenant

_registered: ContextVar[list[App] | None] = ContextVar("_registered", default=None)


@contextlib.contextmanager
def record_registrations() -> c.Iterator[list[App]]:
    """Collect the apps that are registered inside the ``with`` block. The list keeps
    them alive.
    """
    apps: list[App] = []
    token = _registered.set(apps)

    try:
        yield apps
    finally:
        _registered.reset(token)


class Registry:
    """The apps that one extension is registered on.

    :param arguments: What the extension was created with.
    """

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self._states: WeakKeyDictionary[App, AppState] = WeakKeyDictionary()
        self._had_app = False
        self._options = NO_OPTIONS
        #: The states with these options.
        self._views: WeakKeyDictionary[App, AppState] = WeakKeyDictionary()
        #: The states that all tenants share, with the same options otherwise.
        self._shared: WeakKeyDictionary[App, list[AppState]] = WeakKeyDictionary()

    def with_options(self, **options: t.Any) -> t.Self:
        """Return a registry of the same apps, with other options.

        :param options: Those of :class:`.Options` that are other.
        """
        view = copy.copy(self)
        view._options = dataclasses.replace(self._options, **options)
        view._views = WeakKeyDictionary()
        return view

    @property
    def tenant(self) -> Tenant | None:
        """The tenant that the options name."""
        return self._options.tenant

    def set_tenant(self, tenant: Tenant) -> None:
        """Set the tenant that the options name, once it is looked up."""
        self._options = dataclasses.replace(self._options, tenant=tenant)
        self._views = WeakKeyDictionary()

    def add(self, app: App) -> AppState:
        set_defaults(app.config)
        self._had_app = True
        self._states[app] = state = AppState(self.arguments)

        if (registered := _registered.get()) is not None:
            registered.append(app)

        return state

    def has(self, app: App) -> bool:
        """Whether an app is registered."""
        return app in self._states

    def app(self) -> App:
        """Return the current app, or the only registered one.

        :raises AppError: If there is no app, or there are several and none is current.
        """
        current = current_apps()

        for app in current:
            if app in self._states:
                return app

        if current:
            raise AppError(
                f"The current app '{current[0].name}' is not registered with this"
                " 'Alembic' instance. Did you forget to call 'init_app', or did you"
                " create several instances?"
            )

        apps = list(self._states)

        if not apps and self._had_app:
            raise AppError(
                "The registered app was garbage collected. Keep a reference to the app,"
                " because this extension does not."
            )

        if not apps:
            raise AppError("No app is registered. Call 'init_app' first.")

        if len(apps) > 1:
            names = ", ".join(f"'{app.name}'" for app in apps)
            raise AppError(
                f"Several apps are registered ({names}), and none is current. Enter an"
                " app context."
            )

        return apps[0]

    def base_state(self, app: App) -> AppState:
        """Return the state of a registered app, without options."""
        return self._states[app]

    def state(self, app: App) -> AppState:
        """Return the state of a registered app, with the options of this registry."""
        state = self._states[app]

        if self._options == NO_OPTIONS:
            return state

        if self._options.tenant is not None:
            state = self._shared_state(app, state)

        if (view := self._views.get(app)) is None:
            view = AppState(self.arguments, self._options, state)
            view = self._views.setdefault(app, view)

        return view

    def states_with_history(self, app: App) -> c.Iterator[AppState]:
        """Yield the states of an app that have a script directory of their own."""
        yield self.state(app)

        if self.arguments.tenants is not None and self.tenant is None:
            yield self._shared_state(app, self._states[app])

    def _shared_state(self, app: App, base: AppState) -> AppState:
        """Return the state that has the history of all tenants."""
        options = dataclasses.replace(self._options, tenant=ANY_TENANT)
        shared = self._shared.setdefault(app, [])

        for state in shared:
            if state.options == options:
                return state

        shared.append(AppState(self.arguments, options, base))
        return shared[-1]
