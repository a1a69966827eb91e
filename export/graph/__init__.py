"""The contents of an exported graph: sound to observations, the model over time, signatures."""
