"""The ``db`` group of commands, for ``flask`` and ``quart``: one file a family of
commands. It prints, and is the only place that does; it has no logic. Importing it
loads neither Alembic nor a framework, as an app does that at every start.
"""
