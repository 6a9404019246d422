"""Databases for tests: migrated templates and their copies."""
