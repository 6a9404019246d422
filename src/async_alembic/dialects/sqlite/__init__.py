"""SQLite, on sqlite3, aiosqlite, SQLCipher, libSQL and Turso."""
