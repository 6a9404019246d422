"""How schemas are read and compared, as squashing and the ready-made migration tests
need them.
"""
