"""What a baseline is: inputs computed from recordings, and a classifier trained on some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ser_keras.features.extraction import Extraction


@dataclass(frozen=True)
class Task:
    """One split, as a classifier gets it. The test labels are not part of it.

    Attributes:
        inputs: of the training part, [N, ...].
        labels: of the training part, int [N].
        speakers: of the training part, str [N]; empty where the corpus does not tell.
        test_inputs: [M, ...].
        classes: how many there are.
        unheard_speakers: whether no speaker of the test part is in the training part, so that
            choices inside the training part must be made on unheard speakers too.
        seed: of everything that is drawn.
    """

    inputs: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    test_inputs: np.ndarray
    classes: int
    unheard_speakers: bool
    seed: int


@dataclass(frozen=True)
class Answer:
    """What a classifier says of the test part.

    Attributes:
        predicted: int [M].
        parameters: trainable ones; None where the word means nothing.
        chosen: what was chosen inside the training part.
    """

    predicted: np.ndarray
    parameters: int | None = None
    chosen: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """A way of recognising emotion to compare with.

    Attributes:
        title: its name in a table.
        settings: everything set in advance, in JSON's types; results of other settings are stale.
        inputs: from a corpus that could be extracted to [N, ...], one row per utterance.
        classify: trains on a task's training part and answers its test part.
    """

    title: str
    settings: dict[str, Any]
    inputs: Callable[[Extraction], np.ndarray]
    classify: Callable[[Task], Answer]
