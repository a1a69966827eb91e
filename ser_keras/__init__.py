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

from ser_keras.registration import register_with_keras

if TYPE_CHECKING:
    from ser_keras import corpora as corpora
    from ser_keras import features as features
    from ser_keras.corpora import splits as splits
    from ser_keras.evaluation import plots as plots
    from ser_keras.evaluation import report as report
    from ser_keras.evaluation.evaluate import evaluate as evaluate
    from ser_keras.features import extraction as extraction
    from ser_keras.features.spec import FeatureSpec as FeatureSpec
    from ser_keras.model import presets as presets
    from ser_keras.model.settings import Preset as Preset
    from ser_keras.model.vrnn import VRNN as VRNN
    from ser_keras.recognition import uncertainty as uncertainty
    from ser_keras.recognition.recognizer import Recognizer as Recognizer
    from ser_keras.recognition.streaming import StreamingRecognizer as StreamingRecognizer
    from ser_keras.training import pipeline as pipeline

__version__ = "0.1.0"

# Imported on first use: reading a corpus and asking for help do not wait for TensorFlow.
_MODULES = {
    "corpora": "corpora",
    "extraction": "features.extraction",
    "features": "features",
    "pipeline": "training.pipeline",
    "plots": "evaluation.plots",
    "presets": "model.presets",
    "report": "evaluation.report",
    "splits": "corpora.splits",
    "uncertainty": "recognition.uncertainty",
}
_NAMES = {
    "FeatureSpec": "features.spec",
    "Preset": "model.settings",
    "Recognizer": "recognition.recognizer",
    "StreamingRecognizer": "recognition.streaming",
    "VRNN": "model.vrnn",
    "evaluate": "evaluation.evaluate",
}

__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"ser_keras.{_MODULES[name]}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"ser_keras.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'ser_keras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


register_with_keras()
