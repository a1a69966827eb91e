"""Surprisals of the recordings that a model knows, to rank those of others among."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras.model.familiarity import Familiarity
from ser_keras.model.vrnn import VRNN
from ser_keras.training.tracing import traced

Tensor = Any


def learn_familiarity(model: VRNN, data: tf.data.Dataset) -> Familiarity | None:
    """Learn how surprising the recordings of `data` are to a trained model, and remember it.

    A recording of one instant has no prediction, and does not count; None where none counts.

    Example:
        >>> copy = ser.VRNN(model.classes, model.preset)
        >>> data = ser.pipeline.dataset(corpus, model.features, cache=False, progress=False)
        >>> copy.adapt(data)
        >>> learn_familiarity(copy, data) == copy.familiarity
        True
    """
    generation = traced(lambda *batch: model.call_with_terms(*batch)[1].generation, data)
    found = np.concatenate(
        [_by_element(model, inputs, generation(inputs, labels)) for inputs, labels in data]
    )
    model.familiarity = Familiarity.among(found.tolist()) if np.isfinite(found).any() else None
    return model.familiarity


def surprisals(model: VRNN, inputs: dict[str, Tensor], labels: Tensor) -> np.ndarray:
    """Compute the mean surprisal of each utterance of a batch, [B]; NaN of a single instant.

    It is the generation term of Eq. 5, by instant and element.

    Example:
        >>> data = ser.pipeline.dataset(corpus, model.features, cache=False, progress=False)
        >>> surprisals(model, *next(iter(data))).shape
        (32,)
    """
    return _by_element(model, inputs, model.call_with_terms(inputs, labels)[1].generation)


def _by_element(model: VRNN, inputs: dict[str, Tensor], generation: Tensor) -> np.ndarray:
    """Return generation terms [B] by what was predicted: NaN of a single instant."""
    predicted = inputs["instants"].numpy() - 1.0
    elements = np.where(predicted > 0, predicted, np.nan) * model.features.observation_size
    return np.asarray(generation.numpy() / elements)
