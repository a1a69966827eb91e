"""TFLite files for phones and small computers."""
