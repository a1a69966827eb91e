"""TFLite files for phones and small computers."""

PRECISIONS = ("float32", "float16", "int8")  # of the weights in a file
