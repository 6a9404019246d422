"""The ``db`` command group for ``flask`` and ``quart``. Only this package prints, and
it has no other logic. Every app imports it at startup, so it does not import Alembic or
a framework.
"""
