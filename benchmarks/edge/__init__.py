"""What recognition costs on a small computer: size, latency, memory, and answers kept."""
