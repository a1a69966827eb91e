"""The description of an exported model that its clients read, as JSON."""

from __future__ import annotations

from typing import Any

import ser_keras
from ser_keras.export.graph.inference import Inference
from ser_keras.model.vrnn import VRNN


def describe(model: VRNN) -> dict[str, Any]:
    """Describe the labels, sound and sizes of a model.

    Returns:
        labels: the emotions, in the order of the probabilities.
        sample_rate: in hertz; window, hop: in seconds; window_length, hop_length: in samples;
            trailing_length: samples of silence that follow a recording.
        observation_size: D; observation_labels: the names of its last axis.
        state_size: S, of the flat state of a step.
        preset: everything the model was made from; version: of ser_keras.

    Example:
        >>> describe(model)["sample_rate"]
        8000
    """
    spec = model.features
    seconds = ("sample_rate", "window", "hop")
    sizes = ("window_length", "hop_length", "trailing_length", "observation_size")
    return {
        "labels": list(model.classes),
        **{name: getattr(spec, name) for name in (*seconds, *sizes)},
        "observation_labels": spec.labels(),
        "state_size": Inference(model).state_size,
        "preset": model.preset.to_dict(),
        "version": ser_keras.__version__,
    }
