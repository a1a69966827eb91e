"""Trained models outside Python: SavedModel and TF Serving, TFLite, their runners, a local server.

Installed as ``ser_keras.export``. It imports ``ser_keras``, never the other way round.
"""
