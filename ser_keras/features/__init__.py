"""Features: what an observation is, and how sound becomes observations."""

from ser_keras.features.reference import extract, extract_window, mel_filters
from ser_keras.features.spec import FeatureSpec

__all__ = ["FeatureSpec", "extract", "extract_window", "mel_filters"]
