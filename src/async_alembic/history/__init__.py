"""The revision files: find, read and write them, and build their graph. Nothing here
knows a database, an app or its settings. At head, no revision file is imported.
"""
