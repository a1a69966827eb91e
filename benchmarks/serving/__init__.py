"""The local server against direct calls of the model it serves: throughput and latency."""
