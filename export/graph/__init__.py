"""What an exported graph contains: sound to observations, the model over time, signatures."""
