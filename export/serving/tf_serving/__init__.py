"""TF Serving's words: its JSON, messages, statuses and configuration files.

Nothing here knows of HTTP servers, threads or models in memory: `server` builds on this package.
"""
