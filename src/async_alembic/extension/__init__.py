"""The public classes, :class:`.Alembic` and :class:`.SyncAlembic`. Each method calls a
command in :mod:`.commands` through :mod:`.running`. Creating or registering an
extension does not connect.
"""
