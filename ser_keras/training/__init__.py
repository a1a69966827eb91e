"""Training: runs, batches, callbacks, calibration, shards of features."""
