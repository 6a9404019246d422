"""What one app says about its migrations: its settings, its engines and metadata, and
which app is current. Nothing connects here. Flask and Quart are looked for where they
were imported, and never imported here.
"""
