"""PostgreSQL, by asyncpg, psycopg and psycopg2."""
