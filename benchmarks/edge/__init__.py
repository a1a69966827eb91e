"""Recognition on a small computer: size, latency, memory and agreement of the answers."""
