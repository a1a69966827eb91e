"""Features: the specification of an observation, and the way from sound to observations."""

from ser_keras.features.mel import mel_filters
from ser_keras.features.reference import extract, extract_window
from ser_keras.features.spec import FeatureSpec

__all__ = ["FeatureSpec", "extract", "extract_window", "mel_filters"]
