"""Databases for the moment: how each kind of server makes, copies and drops them, and
how their schemas are read and compared. Nothing here knows revisions or Alembic.
"""
