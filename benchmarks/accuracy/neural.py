"""Training of a Keras classifier for a number of epochs set in advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from benchmarks.accuracy.baseline import Answer, Task


def train_and_answer(
    task: Task, build: Callable[[np.ndarray, int], keras.Model], settings: dict[str, Any]
) -> Answer:
    """Train on the whole training subset with Adam, then predict the test subset.

    No epoch is chosen: the weights after the last one count.

    Args:
        task: one split.
        build: makes a model with logits from training inputs, [N, ...], and the number of classes.
        settings: `epochs`, `batch_size`, `learning_rate`.
    """
    keras.utils.set_random_seed(task.seed)
    model = build(task.inputs, task.classes)
    model.compile(
        optimizer=keras.optimizers.Adam(settings["learning_rate"]),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        task.inputs,
        task.labels,
        batch_size=settings["batch_size"],
        epochs=settings["epochs"],
        verbose=0,
    )
    predicted = model.predict(task.test_inputs, verbose=0).argmax(axis=-1)
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    keras.backend.clear_session()
    return Answer(predicted, parameters)
