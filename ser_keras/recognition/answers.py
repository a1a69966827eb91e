"""The form of answers, the same for whole recordings and for streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def name_probabilities(classes: Sequence[str], probabilities: np.ndarray) -> dict[str, Any]:
    """Return emotion and probabilities by name, given a vector [C].

    Example:
        >>> from ser_keras.recognition.answers import name_probabilities
        >>> name_probabilities(("calm", "angry"), np.array([0.25, 0.75]))
        {'emotion': 'angry', 'probabilities': {'calm': 0.25, 'angry': 0.75}}
    """
    return {
        "emotion": classes[int(probabilities.argmax())],
        "probabilities": dict(zip(classes, probabilities.tolist(), strict=True)),
    }


def describe_attention(saliency: np.ndarray, attention: np.ndarray) -> dict[str, Any]:
    """Return sampled fraction, saliency and attention of an instant, given vectors [D].

    Example:
        >>> from ser_keras.recognition.answers import describe_attention
        >>> describe_attention(saliency=np.array([2.0, 0.5]), attention=np.array([1.0, 0.0]))
        {'sampled_fraction': 0.5, 'saliency': [2.0, 0.5], 'attention': [1, 0]}
    """
    return {
        "sampled_fraction": float(attention.mean()),
        "saliency": saliency.tolist(),
        "attention": attention.astype(int).tolist(),
    }
