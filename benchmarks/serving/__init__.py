"""The local server beside what it serves: throughput and latency against direct calls."""
