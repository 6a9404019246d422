"""The public classes, :class:`.Alembic` and :class:`.SyncAlembic`: one line for each
command. How a command is run is up to :mod:`.running`, what it does to
:mod:`.commands`. Nothing connects when an extension is created or registered.
"""
