"""openSMILE's functionals of a whole utterance: eGeMAPSv02 (88) and ComParE 2016 (6,373).

Eyben et al. (2016), "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and
Affective Computing"; Schuller et al. (2016), "The INTERSPEECH 2016 Computational Paralinguistics
Challenge".
"""

from __future__ import annotations

from functools import cache, partial
from importlib import metadata
from typing import Any

import numpy as np

from benchmarks.accuracy import support_vectors
from benchmarks.accuracy.baseline import Baseline
from benchmarks.accuracy.recordings import describe
from ser_keras.corpora.utterance import Utterance
from ser_keras.errors import ConfigurationError
from ser_keras.features.extraction import Extraction
from ser_keras.sound import decoding

SIZES = {"eGeMAPSv02": 88, "ComParE_2016": 6373}


def functionals(extraction: Extraction, feature_set: str) -> np.ndarray:
    """Compute float32 [N, features] at the recordings' own sample rates, mixed down.

    Raises:
        ConfigurationError: the package opensmile is not installed.
    """
    try:
        version = metadata.version("opensmile")
    except metadata.PackageNotFoundError as error:
        raise ConfigurationError(
            f"{feature_set} needs the package opensmile: make benchmarks-venv, or "
            "pip install 'ser-keras[benchmarks]'"
        ) from error
    return describe(
        extraction.corpus,
        f"openSMILE {feature_set}",
        options={"opensmile": version, "feature_set": feature_set},
        shape=(SIZES[feature_set],),
        compute=partial(_functionals, feature_set=feature_set),
    )


def _functionals(utterance: Utterance, feature_set: str) -> np.ndarray:
    channels, rate = decoding.decode(utterance.path, utterance.start, utterance.end)
    row = _smile(feature_set).process_signal(channels.mean(axis=1), rate).to_numpy()[0]
    # Ratios of what silence does not have are not finite; an SVM takes numbers only.
    return np.nan_to_num(row, nan=0.0, posinf=0.0, neginf=0.0)


@cache
def _smile(feature_set: str) -> Any:
    # Imported here: the default environment lacks it, and it crashes beside TensorFlow.
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals)


def _baseline(title: str, feature_set: str) -> Baseline:
    return Baseline(
        title=f"{title} functionals + SVM",
        settings={"functionals": feature_set, **support_vectors.SETTINGS},
        inputs=partial(functionals, feature_set=feature_set),
        classify=support_vectors.classify,
    )


EGEMAPS = _baseline("eGeMAPSv02", "eGeMAPSv02")
COMPARE = _baseline("ComParE 2016", "ComParE_2016")
