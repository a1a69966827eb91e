"""The interface of a baseline: inputs computed from recordings, and a classifier of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ser_keras.features.extraction import Extraction


@dataclass(frozen=True)
class Task:
    """One split as a classifier gets it, without the test labels.

    Attributes:
        inputs: of the training subset, [N, ...].
        labels: of the training subset, int [N].
        speakers: of the training subset, str [N]; empty where the corpus does not name them.
        test_inputs: of the test subset, [M, ...].
        classes: number of classes.
        unseen_speakers: whether no speaker of the test subset is in the training subset, so that
            choices inside the training subset must be made on unseen speakers too.
        seed: seed of everything that is drawn.
    """

    inputs: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    test_inputs: np.ndarray
    classes: int
    unseen_speakers: bool
    seed: int


@dataclass(frozen=True)
class Answer:
    """A classifier's predictions for the test subset.

    Attributes:
        predicted: int [M].
        parameters: number of trainable ones; None where the word means nothing.
        chosen: settings that were chosen inside the training subset.
    """

    predicted: np.ndarray
    parameters: int | None = None
    chosen: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """A way of recognising emotion to compare with.

    Attributes:
        title: name in a table.
        settings: everything set in advance, in JSON's types; results of other settings are stale.
        inputs: turns an extraction into [N, ...], one row per utterance.
        classify: trains on a task's training subset and predicts its test subset.
    """

    title: str
    settings: dict[str, Any]
    inputs: Callable[[Extraction], np.ndarray]
    classify: Callable[[Task], Answer]
