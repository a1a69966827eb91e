"""TF Serving's words: its JSON, messages, statuses, configuration files."""
