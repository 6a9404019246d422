"""What stands between the app and the server: proxies, poolers, timeouts, routers that
forget, replicas and clusters. It has no room of its own in the source: whatever stands
there, an upgrade is to end as it does without.
"""
