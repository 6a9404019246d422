"""Open connections and run a function with them: worker threads, greenlets, own event
loops, cancellation and signals. Nothing here imports Alembic or a framework.
"""
