"""The local server: HTTP, models in memory, batches of requests, the page."""
