"""From a call to open connections: worker threads, greenlets, event loops of our own,
cancelling, and signals. What is run is up to the caller. Nothing here imports Alembic
or a framework.
"""
