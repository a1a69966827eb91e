"""The mean of the VRNN's own observations over an utterance, and a support vector machine."""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy import support_vectors
from benchmarks.accuracy.baseline import Baseline
from ser_keras.features.extraction import Extraction


def mean_observations(extraction: Extraction) -> np.ndarray:
    """Average over the instants: float32 [N, 40]."""
    return np.stack([observations.mean(axis=0) for observations in extraction.observations])


MEAN_MFCC = Baseline(
    title="Mean MFCC + SVM",
    settings={"features": "mean MFCC", **support_vectors.SETTINGS},
    inputs=mean_observations,
    classify=support_vectors.classify,
)
