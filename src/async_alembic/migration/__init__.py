"""Runs one migration on open databases: its steps, its transactions, its lock, and the
record of a half-applied revision. It takes open connections and knows no engine, event
loop, thread or framework. What differs by database is in :mod:`.dialects`.
"""
