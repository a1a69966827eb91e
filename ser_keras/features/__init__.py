"""Features: what an observation is, and how sound becomes observations."""

from ser_keras.features.reference import extract, mel_filters, observe
from ser_keras.features.spec import FeatureSpec

__all__ = ["FeatureSpec", "extract", "mel_filters", "observe"]
