"""The Keras model: the cell over time, trained on Eq. 5."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.features.spec import FeatureSpec
from ser_keras.model import objective as eq5
from ser_keras.model import presets
from ser_keras.model.augmentation import stepwise_layers
from ser_keras.model.batch import (
    ADAPT_FIRST,
    Inputs,
    class_labels,
    dense,
    describe,
    one_hot,
    padded,
    ragged,
    rereadable,
    utterance_weights,
    valid_observations,
)
from ser_keras.model.cell import Step, VRNNCell
from ser_keras.model.compile_arguments import checked_options, make_optimizer
from ser_keras.model.dynamic_range import DynamicRange
from ser_keras.model.metrics import METRICS, Measurements, measure, track
from ser_keras.model.settings import Architecture, Objective, Preset
from ser_keras.model.standardization import Standardization

Tensor = Any


@keras.saving.register_keras_serializable(package="ser_keras")
class VRNN(keras.Model):
    """Recognises emotion by generating speech: a variational RNN with saliency-gated feedback.

    Args:
        classes: names of the emotions, in the order of the labels.
        preset: features, architecture, objective and optimisation; the paper's for RAVDESS if None.
        seed: of initial weights, dropout and latent samples.

    Call arguments:
        inputs: {"observations": float32 [B, T, *observation_shape] as `FeatureSpec` says,
            zero-padded at the end; "instants": int32 [B], how many are valid, at least 1}.
            Observations alone mean that all are valid, of a `tf.RaggedTensor` all of each row.
        training: samples latents and drops out.

    Returns (`call` and, as NumPy arrays padded with zeros to the longest, `predict`):
        probabilities: [B, C] at the last instant; logits: the same before the softmax.
        timeline: [B, T, C], probabilities at every instant.
        attention, saliency: [B, T, D], W_t and S_t; D is observation_shape flattened.
        sampled_fraction: [B, T], the share of the observation that was sampled.
        prediction: [B, T, D], x̂_t before the observation was heard, in standardised units.
        latent_mean, latent_scale: [B, T, Z], the posterior's.
        instants: [B].
    """

    def __init__(
        self,
        classes: Sequence[str],
        preset: Preset | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.classes = tuple(classes)
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise ConfigurationError(f"classes: expected two or more names, found {self.classes}")
        self.preset = preset or presets.RAVDESS
        self.seed = seed
        architecture = dataclasses.asdict(self.preset.architecture)
        range_db = architecture.pop("range_db")
        self.dynamic_range = (
            None if range_db is None else DynamicRange(range_db, name="dynamic_range")
        )
        self.standardization = Standardization(dtype="float32", name="standardization")
        self.cell = VRNNCell(
            observation_size=self.features.observation_size,
            classes=len(self.classes),
            patch=self.features.patch_shape,
            seed=seed,
            dtype=self.dtype_policy,
            name="cell",
            **architecture,
        )
        self.filter, self.mask, self.mixup = stepwise_layers(self.preset.augmentation, seed)
        self.augments = True  # False: a training step leaves these three out
        self.scan = keras.layers.RNN(self.cell, return_sequences=True, dtype="float32", name="scan")
        self._trackers = {name: keras.metrics.Mean(name=name) for name in METRICS}
        self.build()

    @property
    def features(self) -> FeatureSpec:
        """What an observation is."""
        return self.preset.features

    @property
    def architecture(self) -> Architecture:
        """Sizes, dropouts and attention."""
        return self.preset.architecture

    @property
    def objective(self) -> Objective:
        """Weights of Eq. 5."""
        return self.preset.objective

    @classmethod
    def from_preset(
        cls,
        name: str | Preset,
        classes: Sequence[str] | None = None,
        seed: int | None = None,
        **settings: Any,
    ) -> VRNN:
        """A model from a preset: a new one, or the trained one that comes with the package.

        Args:
            name: of the preset, or the preset itself.
            classes: names of the emotions of a new model; None loads the preset's trained weights,
                whose emotions are RAVDESS's.
            seed: of initial weights, dropout and latent samples.
            **settings: fields of the preset to replace, such as `attention=False`.

        Raises:
            ConfigurationError: unknown preset or setting; no classes where there are no trained
                weights: for most presets, and wherever a setting is replaced.
        """
        if classes is None and not isinstance(name, Preset) and not settings:
            weights = presets.weights(name)
            if weights is not None:
                trained: VRNN = keras.saving.load_model(weights)
                return trained
        if classes is None:
            raise ConfigurationError(
                "classes: expected the names of the emotions, found none; only the presets "
                f"{', '.join(presets.trained())} as they are come with trained weights"
            )
        preset = name if isinstance(name, Preset) else presets.get(name)
        return cls(classes, preset.with_settings(settings), seed=seed)

    def build(self, input_shape: Any = None) -> None:
        """Create all weights; the observation's shape is known, so no data is needed."""
        if self.standardization.built:
            return
        self.standardization.build((None, None, *self.features.observation_shape))
        self.scan.build((None, None, self.features.observation_size))
        self.built = True

    def adapt(self, data: Iterable[Any]) -> None:
        """Learn the standardisation: mean and variance of each dimension over valid instants.

        `fit` does it where it has not been done. A patch has one mean and scale per band.

        Args:
            data: batches of inputs as `fit` takes them, labels or not; the training part only.
        """
        self.standardization.adapt(valid_observations(data, self.dynamic_range))

    @property
    def adapted(self) -> bool:
        """Whether the standardisation has been learnt."""
        return self.standardization.adapted

    def call(self, inputs: Inputs, training: bool = False) -> dict[str, Tensor]:
        """Infer the emotion at every instant; see the class."""
        observations, instants = self._unpack(inputs, training and self.augments)
        return describe(self._steps(observations, training), instants)

    def call_with_terms(
        self, inputs: Inputs, labels: Tensor
    ) -> tuple[dict[str, Tensor], eq5.Terms]:
        """Return the outputs of `call` and the terms of Eq. 5, from one pass over the batch."""
        observations, instants = self._unpack(inputs, augment=False)
        steps = self._steps(observations, training=False)
        terms = eq5.terms(steps, observations, instants, labels, self.objective)
        return describe(steps, instants), terms

    def get_initial_state(self, batch_size: int) -> list[Tensor]:
        """What `step` begins with: the cell's state, before it the loudest point if it matters."""
        loudest = [] if self.dynamic_range is None else [tf.zeros([batch_size, 1])]
        return [*loudest, *self.cell.get_initial_state(batch_size)]

    def step(
        self,
        observations: Tensor,
        states: list[Tensor],
        standardize: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Step, list[Tensor]]:
        """Hear one more instant, without sampling and dropout.

        Args:
            observations: float32 [B, *observation_shape], one instant of each utterance.
            states: what the last step gave; `get_initial_state(B)` to begin.
            standardize: in place of the model's own standardisation; of what it takes.

        Returns:
            All that the instant yields, fields [B, …], and the new states.
        """
        loudest, states = [], list(states)
        if self.dynamic_range is not None:
            observations, heard = self.dynamic_range.step(observations, states.pop(0))
            loudest = [heard]
        standardized = (standardize or self.standardization)(observations)
        flat = tf.reshape(standardized, [-1, self.features.observation_size])
        output, states = self.cell(flat, states, training=False)
        return Step.split(output, self.cell.sizes), [*loudest, *states]

    @property
    def seed_generators(self) -> list[keras.random.SeedGenerator]:
        """All that a training step draws from."""
        layers = [layer for layer in (self.filter, self.mask, self.mixup) if layer is not None]
        return [*self.cell.seed_generators, *(layer.seed_generator for layer in layers)]

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Set the optimiser; the loss is Eq. 5.

        Args:
            optimizer: any Keras optimiser; the preset's if None.
            **kwargs: Keras' `jit_compile`, `run_eagerly`, `steps_per_execution`,
                `auto_scale_loss`. `jit_compile` is off unless asked for: XLA compiles again for
                every length, and on a processor its convolutions are many times slower.

        Raises:
            ConfigurationError: a loss or metrics are given; the model brings its own. Or
                `jit_compile` of what XLA cannot compile.
        """
        layers = {"range_db": self.dynamic_range, "mixup": self.mixup}
        kwargs = checked_options(kwargs, layers)
        super().compile(optimizer=optimizer or make_optimizer(self.preset.optimization), **kwargs)
        # Variables that appear while a step is traced make TensorFlow trace it twice.
        self.optimizer.build(self.trainable_variables)
        self._compile_arguments = {"jit_compile": kwargs["jit_compile"]}

    def get_compile_config(self) -> dict[str, Any]:
        """The optimiser and how to run, for `.keras` files."""
        if not self.compiled:
            return {}
        optimizer = keras.saving.serialize_keras_object(self.optimizer)
        return {"optimizer": optimizer, **self._compile_arguments}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """The inverse of `get_compile_config`."""
        config = dict(config)
        optimizer = keras.saving.deserialize_keras_object(config.pop("optimizer"))
        self.compile(optimizer, **config)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train as any Keras model, after learning the standardisation from `x` if need be.

        Raises:
            ConfigurationError: it need be, but `x` can be gone through only once: a generator.
                Or labels or sample weights are none, or not one for each utterance.
            tf.errors.InvalidArgumentError: a label is not the number of a class; so does
                `evaluate`. Within `jit_compile` the loss is NaN instead.
        """
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)  # or Keras warns that it cannot
        if not self.adapted:
            self.adapt(rereadable(x))
        return super().fit(x, *args, **kwargs)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """One step of gradient descent on the mean loss of a batch."""
        inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss, logs = self._loss(inputs, labels, weights, training=True)
            # Replicas add their gradients, so each takes its share of the mean.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            scaled = self.optimizer.scale_loss(loss / replicas)
        if self.trainable_variables:
            gradients = tape.gradient(scaled, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        else:
            warnings.warn("the model has no trainable weights: it learns nothing", stacklevel=1)
        return track(self._trackers, logs)

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """As Keras' `train_on_batch`; one batch is too little to learn the standardisation from."""
        if not self.adapted:
            warnings.warn(ADAPT_FIRST, stacklevel=2)
        return super().train_on_batch(*args, **kwargs)

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """The same terms without sampling, dropout and learning."""
        inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        _, logs = self._loss(inputs, labels, weights, training=False)
        return track(self._trackers, logs)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Means over utterances of every term of the objective."""
        return list(self._trackers.values())

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> dict[str, np.ndarray]:
        """As Keras' `predict`, for utterances of any lengths; see the class for what it returns."""
        return padded(super().predict(x, *args, **kwargs))

    def predict_on_batch(self, x: Any) -> dict[str, np.ndarray]:
        """As `predict`, of a single batch."""
        return padded(super().predict_on_batch(x))

    def predict_step(self, data: Any) -> dict[str, Tensor]:
        """What `call` gives, in a form that Keras joins with that of batches of other lengths."""
        return ragged(super().predict_step(data))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        own = {"classes": list(self.classes), "preset": self.preset.to_dict(), "seed": self.seed}
        return super().get_config() | own

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> VRNN:
        """The inverse of `get_config`."""
        config = dict(config)
        return cls(preset=Preset.from_dict(config.pop("preset")), **config)

    def _unpack(self, inputs: Inputs, augment: bool) -> tuple[Tensor, Tensor]:
        """Standardised flat observations [B, T, D] and instants [B]."""
        observations, instants = dense(inputs)
        if not observations.shape[2:].is_fully_defined():  # as of batches of ragged tensors
            shape = [None, None, *self.features.observation_shape]
            observations = tf.ensure_shape(observations, shape)
        batch, length = tf.unstack(tf.shape(observations)[:2])
        if self.filter is not None:
            observations = self.filter(observations, training=augment)
        if self.dynamic_range is not None:
            observations = self.dynamic_range(observations)
        observations = self.standardization(observations)
        if self.mask is not None:
            observations = self.mask(observations, training=augment)
        flat = tf.reshape(observations, [batch, length, self.features.observation_size])
        return flat, instants

    def _steps(self, observations: Tensor, training: bool) -> Step:
        # No mask: padding comes last and the scan is causal, so it cannot reach a valid instant.
        with self.cell.laid_out():
            return Step.split(self.scan(observations, training=training), self.cell.sizes)

    def _loss(
        self, inputs: Inputs, labels: Tensor, weights: Tensor | None, training: bool
    ) -> tuple[Tensor, Measurements]:
        """The mean loss of a batch, and what to track."""
        augment = training and self.augments
        observations, instants = self._unpack(inputs, augment)
        labels = targets = class_labels(labels, self.classes)
        if augment and self.mixup is not None:
            probabilities = one_hot(labels, len(self.classes))
            observations, targets = self.mixup(observations, instants, probabilities)
        steps = self._steps(observations, training)
        terms = eq5.terms(steps, observations, instants, targets, self.objective)
        losses = terms.loss(self.objective)
        weights = utterance_weights(weights, losses)
        logs = measure(steps, terms, losses, instants, labels, weights)
        return tf.math.divide_no_nan(tf.reduce_sum(losses * weights), tf.reduce_sum(weights)), logs

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Nothing: all weights are there from the beginning."""
        # Under `tf.distribute` Keras would build from a batch that it averages over replicas, which
        # fails with several workers: their batches are no tensors.
