"""What an app configures for its migrations: settings, engines and metadata. Also finds
the current app. Nothing connects here. Flask and Quart are never imported here; they
are used if they are already imported.
"""
