"""Makes Alembic's autogenerate right: what of models and databases is compared, how,
and what is written of it. It uses Alembic's own ways to extend it: plugins, operations
and renderers. It takes open connections and knows no engine, event loop or framework.
What differs by database is in :mod:`.dialects`.
"""
