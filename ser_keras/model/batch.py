"""A batch on its way into the model and out of it: inputs, labels and weights, outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.model.cell import Step

Tensor = Any
Inputs = Any  # {"observations": [B, T, *shape], "instants": [B]}, or the observations alone
Outputs = dict[str, Tensor]

ADAPT_FIRST = "call model.adapt(training_batches) first: the standardization is not learnt"
WITHOUT_TIME = ("probabilities", "logits", "instants")  # outputs [B, …]; the others are [B, T, …]


def dense(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Convert inputs in any form to padded observations and the number of valid instants.

    Args:
        inputs: observations [B, T, *observation_shape], an array or a tensor, ragged or not; or a
            mapping that holds them as "observations" and may hold "instants", int [B]. Without
            "instants" all are valid; of ragged observations (which XLA cannot densify) each row's.

    Returns:
        Observations [B, T, *observation_shape] and instants, int32 [B].

    Raises:
        ConfigurationError: there is no instant at all.

    Example:
        >>> dense(np.zeros((2, 3, 40)))[1].numpy().tolist()
        [3, 3]
    """
    if not isinstance(inputs, Mapping):
        inputs = {"observations": inputs}
    observations, instants = inputs["observations"], inputs.get("instants")
    if isinstance(observations, tf.RaggedTensor):
        instants = observations.row_lengths() if instants is None else instants
        observations = observations.to_tensor()
    observations = tf.convert_to_tensor(observations)
    if observations.shape[1] == 0:
        raise ConfigurationError("observations: expected at least one instant, found none")
    if instants is None:
        batch, length = tf.unstack(tf.shape(observations)[:2])
        instants = tf.fill([batch], length)
    return observations, tf.cast(instants, tf.int32)


def rereadable(x: Any) -> Iterable[Any]:
    """Return what `fit` is given as batches to adapt to, if they can be read again for training.

    Args:
        x: inputs in memory, a `tf.data.Dataset` or a `keras.utils.PyDataset`.

    Raises:
        ConfigurationError: `x` can be read only once, or has no end.

    Example:
        >>> [batch.shape for batch in rereadable(np.zeros((2, 3, 40)))]
        [(2, 3, 40)]
    """
    if isinstance(x, tf.data.Dataset):
        return x
    if isinstance(x, keras.utils.PyDataset) and x.num_batches is not None:
        return (x[index] for index in range(x.num_batches))
    if isinstance(x, Mapping) or hasattr(x, "__array__") or tf.is_tensor(x):
        return [x]
    raise ConfigurationError(
        f"fit: expected data that can be read twice, found {type(x).__name__}; {ADAPT_FIRST}"
    )


def valid_observations(
    data: Iterable[Any], prepare: Callable[[np.ndarray], Any] | None = None
) -> Iterator[np.ndarray]:
    """Yield the observations of each batch without their padding, [N, *observation_shape].

    Args:
        data: batches of inputs, with labels or without.
        prepare: applied to the observations of each batch, [B, T, *observation_shape], before.

    Example:
        >>> batch = {"observations": np.zeros((2, 3, 40)), "instants": np.array([1, 3])}
        >>> [observations.shape for observations in valid_observations([batch])]
        [(4, 40)]
    """
    for batch in data:
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        observations, instants = dense(inputs)
        observations = np.asarray(observations, dtype=np.float32)
        if prepare is not None:
            observations = np.asarray(prepare(observations))
        yield observations[np.arange(observations.shape[1]) < np.asarray(instants)[:, np.newaxis]]


def class_labels(labels: Any, classes: Sequence[str]) -> Tensor:
    """Check the labels that `fit` was given and convert them to int32 [B].

    Args:
        labels: class indexes, [B] or [B, 1].
        classes: names of the emotions, in the order of the labels.

    Raises:
        ConfigurationError: labels are missing, are no numbers, or have another shape.
        tf.errors.InvalidArgumentError: when run, a label is no class index. XLA drops this check;
            `one_hot` makes up for it.

    Example:
        >>> class_labels(np.array([[1], [0]]), ["calm", "angry"]).numpy().tolist()
        [1, 0]
    """
    expected = f"expected int [B] from 0 to {len(classes) - 1} ({', '.join(classes)})"
    if labels is None:
        raise ConfigurationError(f"labels: {expected}, found none")
    labels = tf.convert_to_tensor(labels)
    if labels.dtype == tf.string:
        raise ConfigurationError(f"labels: {expected}, found strings")
    labels = tf.cast(_without_column("labels", labels, expected), tf.int32)
    check = tf.debugging.Assert(
        tf.reduce_all(_is_class(labels, len(classes))),
        [f"labels: {expected}, found from", tf.reduce_min(labels), "to", tf.reduce_max(labels)],
    )
    with tf.control_dependencies([check]):
        return tf.identity(labels)


def utterance_weights(weights: Any, losses: Tensor) -> Tensor:
    """Check the `sample_weight` that `fit` was given and convert it to float32 [B].

    Args:
        weights: numbers [B] or [B, 1]; None weighs all utterances alike.
        losses: losses of the utterances, float32 [B].

    Raises:
        ConfigurationError: the weights have another shape.

    Example:
        >>> utterance_weights(None, losses=np.zeros(2, np.float32)).numpy().tolist()
        [1.0, 1.0]
    """
    if weights is None:
        return tf.ones_like(losses)
    weights = tf.cast(tf.convert_to_tensor(weights), losses.dtype)
    return _without_column("sample_weight", weights, "expected numbers [B]")


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Convert labels, int [B], to probabilities of the classes, float32 [B, C].

    A label that is no class becomes NaN. With the zeros of `tf.one_hot` its class term would cost
    nothing, and training would go on unnoticed where labels are not checked, as within XLA.

    Example:
        >>> one_hot(np.array([1, 2]), classes=2).numpy().tolist()
        [[0.0, 1.0], [nan, nan]]
    """
    known = _is_class(labels, classes)[:, tf.newaxis]
    return tf.where(known, tf.one_hot(labels, classes), float("nan"))


def last_instant(sequence: Tensor, instants: Tensor) -> Tensor:
    """Return each utterance's values at its own last instant: [B, T, K] and [B] to [B, K].

    Example:
        >>> sequence = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
        >>> last_instant(sequence, np.array([1, 2])).numpy().tolist()
        [[1.0], [4.0]]
    """
    return tf.gather(sequence, instants - 1, axis=1, batch_dims=1)


def describe(steps: Step, instants: Tensor) -> Outputs:
    """Name the outputs of `VRNN.call`, zero beyond an utterance's instants.

    Args:
        steps: the cell's outputs, fields [B, T, …].
        instants: valid instants of each utterance, int32 [B].

    Example:
        >>> steps = Step(*[np.ones((1, 2, 3), np.float32)] * 8)
        >>> describe(steps, np.array([1]))["sampled_fraction"].numpy().tolist()
        [[1.0, 0.0]]
    """
    logits = last_instant(steps.logits, instants)
    valid = tf.sequence_mask(instants, tf.shape(steps.logits)[1], dtype=tf.float32)  # [B, T]
    sequences = {
        "timeline": tf.nn.softmax(steps.logits),
        "attention": steps.attention,
        "saliency": steps.saliency,
        "prediction": steps.prediction,
        "latent_mean": steps.posterior_mean,
        "latent_scale": tf.exp(steps.posterior_log_scale),
    }
    return {
        "probabilities": tf.nn.softmax(logits),
        "logits": logits,
        **{name: value * valid[..., tf.newaxis] for name, value in sequences.items()},
        "sampled_fraction": tf.reduce_mean(steps.attention, axis=-1) * valid,
        "instants": instants,
    }


class SequenceModel(keras.Model):
    """A Keras model whose `predict` joins batches of different lengths.

    `predict` returns arrays, padded with zeros to the longest utterance. In between, outputs with a
    time axis are ragged tensors [B, T, …]: dense ones of different T Keras joins through Python
    lists, which takes seconds for a million numbers.

    Example:
        >>> model.predict(np.zeros((2, 5, 13)), verbose=0)["timeline"].shape
        (2, 5, 8)
    """

    def predict_step(self, data: Any) -> Outputs:
        """Call the model and convert outputs with a time axis to ragged tensors."""
        return {
            name: value if name in WITHOUT_TIME else tf.RaggedTensor.from_tensor(value)
            for name, value in super().predict_step(data).items()
        }

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> dict[str, np.ndarray]:
        """Predict as Keras does, for utterances of any lengths."""
        return _padded(super().predict(x, *args, **kwargs))

    def predict_on_batch(self, x: Any) -> dict[str, np.ndarray]:
        """Predict a single batch."""
        return _padded(super().predict_on_batch(x))


def _padded(outputs: dict[str, Any]) -> dict[str, np.ndarray]:
    return {
        name: value.to_tensor().numpy() if isinstance(value, tf.RaggedTensor) else value
        for name, value in outputs.items()
    }


def _is_class(labels: Tensor, classes: int) -> Tensor:
    return (labels >= 0) & (labels < classes)


def _without_column(name: str, values: Tensor, expected: str) -> Tensor:
    """Return values of shape [B] or [B, 1] as [B]."""
    shape = values.shape
    if shape.rank == 2 and shape[1] == 1:
        return values[:, 0]
    if shape.rank not in (None, 1):
        found = ", ".join("B" if size is None else str(size) for size in shape)
        hint = "; labels.argmax(axis=-1) converts one-hot labels" if shape.rank == 2 else ""
        raise ConfigurationError(
            f"{name}: {expected}, found shape [{found}]{hint if name == 'labels' else ''}"
        )
    # The rank is unknown where Keras traces a step for both shapes at once.
    return values if shape.rank == 1 else tf.reshape(values, [tf.shape(values)[0]])
