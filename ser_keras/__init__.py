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
import re
from typing import TYPE_CHECKING, Any

from ser_keras.registration import register_with_keras

if TYPE_CHECKING:
    from ser_keras import corpora as corpora
    from ser_keras import features as features
    from ser_keras.corpora import splits as splits
    from ser_keras.evaluation import plots as plots
    from ser_keras.evaluation import report as report
    from ser_keras.evaluation.evaluate import evaluate as evaluate
    from ser_keras.evaluation.explanation.explanation import explain as explain
    from ser_keras.features import extraction as extraction
    from ser_keras.features.spec import FeatureSpec as FeatureSpec
    from ser_keras.model import presets as presets
    from ser_keras.model.settings import Preset as Preset
    from ser_keras.model.vrnn import VRNN as VRNN
    from ser_keras.recognition import uncertainty as uncertainty
    from ser_keras.recognition.recognizer import Recognizer as Recognizer
    from ser_keras.recognition.speaker_adaptation import adapt_to_speaker as adapt_to_speaker
    from ser_keras.recognition.streaming import StreamingRecognizer as StreamingRecognizer
    from ser_keras.training import pipeline as pipeline

__version__ = "0.1.0"

# Imported on first use: reading a corpus and asking for help do not wait for TensorFlow.
_PUBLIC = (
    "ser_keras.corpora",
    "ser_keras.corpora.splits",
    "ser_keras.evaluation.evaluate:evaluate",
    "ser_keras.evaluation.explanation.explanation:explain",
    "ser_keras.evaluation.plots",
    "ser_keras.evaluation.report",
    "ser_keras.features",
    "ser_keras.features.extraction",
    "ser_keras.features.spec:FeatureSpec",
    "ser_keras.model.presets",
    "ser_keras.model.settings:Preset",
    "ser_keras.model.vrnn:VRNN",
    "ser_keras.recognition.recognizer:Recognizer",
    "ser_keras.recognition.speaker_adaptation:adapt_to_speaker",
    "ser_keras.recognition.streaming:StreamingRecognizer",
    "ser_keras.recognition.uncertainty",
    "ser_keras.training.pipeline",
)
_PATHS = {re.split("[.:]", path)[-1]: path for path in _PUBLIC}

__all__ = ["__version__", *_PATHS]


def __getattr__(name: str) -> Any:
    if name not in _PATHS:
        raise AttributeError(f"module 'ser_keras' has no attribute {name!r}")
    module, _, attribute = _PATHS[name].partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted(__all__)


register_with_keras()
