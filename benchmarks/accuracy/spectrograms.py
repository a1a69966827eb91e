"""Log-mel spectrograms of the middle three seconds; without Keras, so that workers start fast."""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy.recordings import describe
from ser_keras.corpora.utterance import Utterance
from ser_keras.features import reference
from ser_keras.features.extraction import Extraction
from ser_keras.features.spec import FeatureSpec
from ser_keras.sound import decoding

# The network's whole input is one window.
SPEC = FeatureSpec(kind="log-mel", window=3.0, hop=3.0, mel_bands=40, frame_hop=1024, statistics=())


def spectrograms(extraction: Extraction) -> np.ndarray:
    """Compute float32 [N, frames, bands], in decibels."""
    options = {"benchmark": "log-mel-cnn", "spec": SPEC.to_dict()}
    shape = SPEC.observation_shape
    return describe(extraction.corpus, "Log-mel spectrograms", options, shape, _spectrogram)


def _spectrogram(utterance: Utterance) -> np.ndarray:
    samples = decoding.load(utterance.path, SPEC.sample_rate, utterance.start, utterance.end)
    return reference.extract(centered(samples, SPEC.window_length), SPEC)[0]


def centered(samples: np.ndarray, length: int) -> np.ndarray:
    """Cut or pad with silence, as much at the beginning as at the end: [N] to [length]."""
    surplus = len(samples) - length
    if surplus >= 0:
        return samples[surplus // 2 : surplus // 2 + length]
    return np.pad(samples, (-surplus // 2, -surplus - (-surplus // 2)))
