"""The revision files: which there are, how one is read and written, and what all of
them say together. Nothing here knows a database, an app or its settings. At head, no
revision file is imported.
"""
