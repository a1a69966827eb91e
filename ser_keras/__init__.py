"""Speech emotion recognition by generation.

A variational RNN predicts the next observation of speech and infers the emotion at every instant;
its attention emerges from the prediction error.

    import ser_keras as ser
    corpus = ser.corpora.load("ravdess", "/data/RAVDESS")
    train, test = ser.splits.random(corpus, test_fraction=0.2, seed=0)
    model = ser.VRNN.from_preset("ravdess", classes=corpus.emotions)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser_keras import corpora as corpora
    from ser_keras import extraction as extraction
    from ser_keras import features as features
    from ser_keras import pipeline as pipeline
    from ser_keras import plots as plots
    from ser_keras import presets as presets
    from ser_keras import report as report
    from ser_keras import splits as splits
    from ser_keras import uncertainty as uncertainty
    from ser_keras.configuration import Preset as Preset
    from ser_keras.evaluation import evaluate as evaluate
    from ser_keras.features import FeatureSpec as FeatureSpec
    from ser_keras.recognition import Recognizer as Recognizer
    from ser_keras.streaming import StreamingRecognizer as StreamingRecognizer
    from ser_keras.vrnn import VRNN as VRNN

__version__ = "0.1.0"

# Loaded when first used: reading a corpus or asking for help need not wait for TensorFlow.
_MODULES = (
    "corpora",
    "extraction",
    "features",
    "pipeline",
    "plots",
    "presets",
    "report",
    "splits",
    "uncertainty",
)
_NAMES = {
    "FeatureSpec": "features",
    "Preset": "configuration",
    "Recognizer": "recognition",
    "StreamingRecognizer": "streaming",
    "VRNN": "vrnn",
    "evaluate": "evaluation",
}

__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"ser_keras.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"ser_keras.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'ser_keras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
