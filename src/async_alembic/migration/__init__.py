"""One migration of open databases: its steps, its transactions, its lock, and the
record of a revision that is half applied. It is handed open connections, and knows no
engine, event loop, thread or framework. What differs by database is in
:mod:`.dialects`.
"""
