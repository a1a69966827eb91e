"""The numbers that the paper published, apart from ours; shares are 0..1."""

from __future__ import annotations

from typing import Any

_RAVDESS: dict[str, Any] = {
    # Table 1
    "weighted_accuracy": {"attention": 0.785, "no_attention": 0.799},
    "others": [
        {"model": "MFCC (2021)", "weighted_accuracy": 0.778},
        {"model": "spectrogram (2019)", "weighted_accuracy": 0.645},
        {"model": "spectrogram (2020), unweighted", "weighted_accuracy": 0.795},
        {"model": "spectrogram (2021), unweighted", "weighted_accuracy": 0.800},
        {"model": "low-level features (2020)", "weighted_accuracy": 0.720},
    ],
    # Table 2
    "sampled_fraction": 0.638,
    "table2": {
        "neutral": 0.658,
        "calm": 0.615,
        "happy": 0.661,
        "sad": 0.625,
        "angry": 0.613,
        "fearful": 0.631,
        "disgust": 0.616,
        "surprised": 0.685,
    },
    # Section 3.3
    "parameters": 22_600_000,
    "figure2": {"emotion": "neutral", "most_similar": "calm", "least_similar": "surprised"},
}

_IEMOCAP: dict[str, Any] = {
    # Table 1
    "weighted_accuracy": {"attention": 0.655, "no_attention": 0.644},
    "others": [
        {"model": "IS09 and mel spectrogram (2020)", "weighted_accuracy": 0.677},
        {"model": "spectrogram (2018)", "weighted_accuracy": 0.704},
        {"model": "low-level descriptors (2018)", "weighted_accuracy": 0.688},
        {"model": "log-mel filter banks (2017)", "weighted_accuracy": 0.621},
    ],
    # Table 2
    "sampled_fraction": 0.452,
    "table2": {"neutral": 0.471, "happy": 0.447, "sad": 0.442, "angry": 0.449},
    # Section 3.3
    "parameters": 12_780_000,
    "figure2": {"emotion": "neutral", "most_similar": "sad", "least_similar": "angry"},
}


# The paper's for its two corpora, and the usual one for the others.
_PROTOCOLS = {"iemocap": "session", "emodb": "speaker", "crema-d": "speaker", "savee": "speaker"}


def published(corpus: str) -> dict[str, Any]:
    """Return the paper's numbers for a corpus; empty where it has none.

    Example:
        >>> from ser_keras.evaluation import paper
        >>> paper.published("ravdess")["weighted_accuracy"]["attention"], paper.published("tess")
        (0.785, {})
    """
    return {"ravdess": _RAVDESS, "iemocap": _IEMOCAP}.get(corpus, {})


def protocol(corpus: str) -> str:
    """Return the kind of split: the paper's for its two corpora, the usual one for the others.

    Example:
        >>> from ser_keras.evaluation import paper
        >>> paper.protocol("iemocap")
        'session'
    """
    return _PROTOCOLS.get(corpus, "random")
