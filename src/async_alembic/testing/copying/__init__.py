"""Databases for tests: templates, and the copies that are made of them."""
