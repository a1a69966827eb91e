"""The Keras model: the cell over time, trained on Eq. 5."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from ser_keras.errors import ConfigurationError
from ser_keras.model import batch, presets, sources
from ser_keras.model import objective as eq5
from ser_keras.model.batch import Inputs, Outputs
from ser_keras.model.cell import Step, VRNNCell
from ser_keras.model.compile_arguments import checked_options, make_optimizer
from ser_keras.model.compiled_metrics import build_metrics
from ser_keras.model.dynamic_range import DynamicRange
from ser_keras.model.familiarity import Familiarity
from ser_keras.model.labels import class_labels, class_names, class_targets, utterance_weights
from ser_keras.model.metrics import METRICS, Measurements, measure
from ser_keras.model.pretrained import take_weights
from ser_keras.model.replicas import whole_batch
from ser_keras.model.sequence_model import SequenceModel
from ser_keras.model.settings import Preset
from ser_keras.model.standardization import Standardization
from ser_keras.model.stepwise import alter, disturb, stepwise_layers

Tensor = Any


@keras.saving.register_keras_serializable(package="ser_keras")
class VRNN(SequenceModel):
    """Recognizes emotion by generating speech: a variational RNN with saliency-gated feedback.

    Args:
        classes: names of the emotions, in the order of the labels.
        preset: features, architecture, objective and optimization; the paper's for RAVDESS if None.
        seed: seed of the initial weights, dropout and the latent samples; None draws one, which
            `keras.utils.set_random_seed` makes repeatable.
        familiarity: `Familiarity.quantiles` of the recordings it knows; None if never learnt.

    Call arguments:
        inputs: {"observations": float32 [B, T, *observation_shape] as `FeatureSpec` says,
            zero-padded at the end; "instants": int32 [B], how many are valid, at least 1; to train
            perhaps "targets" and "labeled", see `class_targets`}. Observations alone mean that all
            are valid, of a `tf.RaggedTensor` all of each row.
        training: whether to sample latents, drop out and augment.

    Returns (`call` and, as NumPy arrays padded with zeros to the longest, `predict`):
        probabilities: [B, C] at the last instant; logits: the same before the softmax.
        timeline: [B, T, C], probabilities at every instant.
        attention, saliency: [B, T, D], W_t and S_t; D is observation_shape flattened.
        sampled_fraction: [B, T], the share of the observation that was sampled.
        prediction: [B, T, D], x̂_t, made before the observation was read, in standardized units.
        latent_mean, latent_scale: [B, T, Z], the posterior's; instants: [B].

    Example:
        >>> observations = np.zeros((2, 5, *model.features.observation_shape))
        >>> model(observations)["timeline"].shape
        TensorShape([2, 5, 8])
    """

    def __init__(
        self,
        classes: Sequence[str],
        preset: Preset | None = None,
        seed: int | None = None,
        familiarity: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(METRICS, **kwargs)
        self.familiarity = None if familiarity is None else Familiarity(tuple(familiarity))
        self.classes = class_names(classes)
        self.preset, self.seed = preset or presets.RAVDESS, seed
        self.features, self.objective = self.preset.features, self.preset.objective
        self.architecture = self.preset.architecture
        self.dynamic_range: DynamicRange | None = None
        if (range_db := self.architecture.range_db) is not None:
            self.dynamic_range = DynamicRange(range_db, name="dynamic_range")
        self.standardization = Standardization(name="standardization")
        self.cell = VRNNCell(
            observation_size=self.features.observation_size,
            classes=len(self.classes),
            patch=self.features.patch_shape,
            overlap=self.features.overlap_frames,
            seed=seed,
            dtype=self.dtype_policy,
            name="cell",
            **dataclasses.asdict(self.architecture),
        )
        layers = stepwise_layers(self.preset, seed)
        self.warp, self.filter, self.mixup, self.noise, self.mask = layers
        self.augments = True  # False: a training step leaves these out
        scan = keras.layers.RNN(self.cell, return_sequences=True, dtype="float32", name="scan")
        # A method and not the layer, so that Keras counts the cell once.
        self.scan = scan.__call__
        self.build()

    @classmethod
    def from_preset(
        cls,
        name: str | Preset,
        classes: Sequence[str] | None = None,
        seed: int | None = None,
        load_weights: bool = True,
        **settings: Any,
    ) -> VRNN:
        """Create a model from a preset, with the trained weights of those that come with some.

        Args:
            name: the preset's name, or the preset itself, which comes without weights.
            classes: names of the emotions; the logits of those that the weights do not know, also
                by no synonym, begin anew. None takes those of the weights.
            seed: seed of the initial weights, dropout and the latent samples.
            load_weights: False for new weights throughout.
            **settings: fields to replace of the preset, that saved with the weights if they are
                loaded, such as `attention=False`.

        Raises:
            ConfigurationError: unknown preset or setting, no classes and no trained weights, or
                settings that the trained weights do not fit.
        """
        preset = name if isinstance(name, Preset) else presets.get(name)
        file = presets.weights(preset.name) if load_weights and preset is not name else None
        if file is None:
            if classes is None:
                raise ConfigurationError(
                    "classes: expected the names of the emotions, found none; only the weights "
                    f"that come with {', '.join(presets.trained())} know them"
                )
            return cls(classes, preset.with_settings(settings), seed=seed)
        trained = keras.saving.load_model(file)
        if classes is None and seed is None and not settings:
            return trained
        changed = trained.preset.with_settings(settings)
        model = cls(trained.classes if classes is None else classes, changed, seed=seed)
        take_weights(model, trained)
        return model

    def build(self, input_shape: Any = None) -> None:
        """Create all weights; the observation's shape is known, so no data is needed."""
        if self.standardization.built:
            return
        # Also what has no weights, so that `summary` shows its shape.
        patches, flat = (None, None, *self.observation_shape), (None, None, self.cell.sizes[0])
        for layer in (self.dynamic_range, self.standardization, self.filter, self.noise, self.mask):
            if layer is not None:
                layer.build(patches)
        if self.warp is not None:
            self.warp.build(patches, (None,))
        if self.mixup is not None:
            self.mixup.build(flat, (None,), (None, len(self.classes)))
        self.scan.__self__.build(flat)
        self.built = True

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn mean and scale of each dimension, of a patch each band, over valid instants.

        `fit` does it where it has not been done.

        Args:
            data: the training subset, in memory or as batches, with labels or without.
            steps: batches to take of data without end; None takes all.

        Raises:
            ConfigurationError: data that never end, or that are no finite observations.
        """
        sources.require_end("adapt", data, steps)
        batches = [data] if batch.in_memory(data) else sources.limited(data, steps)
        self.standardization.adapt(
            sources.valid_observations(batches, self.observation_shape, self.dynamic_range)
        )

    @property
    def adapted(self) -> bool:
        """Whether the standardization has been learnt."""
        return self.standardization.adapted

    def call(self, inputs: Inputs, training: bool = False) -> Outputs:
        """Infer the emotion at every instant; see the class."""
        observations, instants = self._standardized(inputs, training and self.augments)
        return batch.describe(self._steps(observations, training), instants)

    def call_with_terms(self, inputs: Inputs, labels: Tensor) -> tuple[Outputs, eq5.Terms]:
        """Return the outputs of `call` and the terms of Eq. 5, from one pass over the batch."""
        observations, instants = self._standardized(inputs, augment=False)
        steps = self._steps(observations, training=False)
        terms = eq5.terms(steps, observations, instants, labels, self.objective)
        return batch.describe(steps, instants), terms

    def _standardized(self, inputs: Inputs, augment: bool) -> tuple[Tensor, Tensor]:
        """Return standardized flat observations [B, T, D] and instants [B]."""
        # [B, T, *observation_shape] and [B]
        observations, instants = batch.checked(*batch.dense(inputs, self.observation_shape))
        observations, instants = alter(observations, instants, self.warp, self.filter, augment)
        count, length = tf.unstack(tf.shape(observations)[:2])
        if self.dynamic_range is not None:
            observations = self.dynamic_range(observations)
        observations = self.standardization(observations)
        return tf.reshape(observations, [count, length, self.features.observation_size]), instants

    def _steps(self, observations: Tensor, training: bool) -> Step:
        """Run the cell over [B, T, D]; fields [B, T, …]."""
        # No mask: padding comes last and the scan is causal, so it cannot reach a valid instant.
        with self.cell.laid_out():
            return Step.split(self.scan(observations, training=training), self.cell.sizes)

    def get_initial_state(self, batch_size: int) -> list[Tensor]:
        """Return the state that `step` begins with: the loudest point if it matters, the cell's."""
        loudest = [] if self.dynamic_range is None else [tf.zeros([batch_size, 1])]
        return [*loudest, *self.cell.get_initial_state(batch_size)]

    def step(
        self,
        observations: Tensor,
        states: list[Tensor],
        standardize: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Step, list[Tensor]]:
        """Read one more instant, without sampling and dropout; return its `Step` and new states.

        Args:
            observations: float32 [B, *observation_shape], one instant of each utterance.
            states: as the last step returned them; `get_initial_state(B)` to begin.
            standardize: replaces the model's own standardization, and takes what it takes.
        """
        loudest, states = [], list(states)
        if self.dynamic_range is not None:
            observations, highest = self.dynamic_range.step(observations, states.pop(0))
            loudest = [highest]
        standardized = (standardize or self.standardization)(observations)
        flat = tf.reshape(standardized, [-1, self.features.observation_size])  # [B, D]
        output, states = self.cell(flat, states, training=False)
        return Step.split(output, self.cell.sizes), [*loudest, *states]

    @property
    def seed_generators(self) -> list[keras.random.SeedGenerator]:
        """All that a training step draws from."""
        layers = (self.filter, self.mask, self.mixup, self.warp, self.noise)
        return [*self.cell.seed_generators, *(one.seed_generator for one in layers if one)]

    def compile(
        self,
        optimizer: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **options: Any,
    ) -> None:
        """Set the optimizer, the preset's if None, metrics and Keras' options; the loss is Eq. 5.

        Metrics compare labels and probabilities; see `on_probabilities`. `checked_options` says
        which options are refused. `jit_compile` is off unless asked for: XLA compiles again for
        every length, and on a CPU its convolutions are many times slower.
        """
        fields = {"range_db": self.dynamic_range, "mixup": self.mixup, "tempo, tract": self.warp}
        options = checked_options(options, without_xla=fields)
        optimizer = optimizer or make_optimizer(self.preset.optimization)
        super().compile(optimizer, metrics, weighted_metrics, **options)
        # Variables that appear while a step is traced make TensorFlow trace it twice.
        self.optimizer.build(self.trainable_variables)
        build_metrics(self.metrics, len(self.classes))

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train as any Keras model, after learning the standardization from `x` if need be.

        Sample and class weights count as in Keras: they scale the loss, which is divided by the
        number of utterances. Of a dataset without end, `steps_per_epoch` batches are learnt from.

        Raises:
            ConfigurationError: the model is not adapted and `x`, a generator, can be read only
                once; a dataset never ends and nobody says how many batches to take; inputs have
                another shape, or labels or sample weights are not one number for each utterance.
            tf.errors.InvalidArgumentError: a label is no class; within `jit_compile` the loss is
                NaN instead.
        """
        if isinstance(x, tf.data.Dataset):  # Keras would warn that it cannot shuffle
            kwargs.setdefault("shuffle", False)
        return super().fit(x, *args, **kwargs)

    def prepare(self, x: Any, steps: int | None) -> None:
        """Learn the standardization if need be."""
        if not self.adapted:
            self.adapt(sources.rereadable(x, steps))

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Train as Keras does; one batch is too little to learn the standardization from."""
        if not self.adapted:
            warnings.warn(sources.ADAPT_FIRST, stacklevel=2)
        return super().train_on_batch(*args, **kwargs)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Take one step of gradient descent on the mean loss of a batch."""
        with tf.GradientTape() as tape:
            loss, means, answers = self._loss(data, training=True)
            scaled = self.optimizer.scale_loss(loss)
        if self.trainable_variables:
            gradients = tape.gradient(scaled, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        else:
            warnings.warn("the model has no trainable weights: it learns nothing", stacklevel=1)
        return self.results(means, *answers)

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """Compute the same terms without sampling, dropout and learning."""
        _, means, answers = self._loss(data, training=False)
        return self.results(means, *answers)

    def _loss(
        self, data: Any, training: bool
    ) -> tuple[Tensor, Measurements, tuple[Tensor, Tensor, Tensor]]:
        """Return the loss of a batch, what to track, and what metrics compare.

        The loss is this replica's share of the mean: replicas add their gradients. The latter are
        labels [B], probabilities [B, C] and weights [B].
        """
        inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        augment = training and self.augments
        observations, instants = self._standardized(inputs, augment)
        labels = class_labels(labels, self.classes)
        targets = class_targets(inputs, labels, len(self.classes))
        if augment and self.mixup is not None:
            observations, targets = self.mixup(observations, instants, targets)
        seen = disturb(observations, self.observation_shape, self.noise, self.mask, augment)
        steps = self._steps(seen, training)
        # What was disturbed is to be generated all the same, as the sound that it is.
        terms = eq5.terms(steps, observations, instants, targets, self.objective)
        losses = terms.loss(self.objective)  # [B]
        weights = utterance_weights(weights, losses)
        means = measure(steps, terms, losses, instants, weights)
        probabilities = tf.nn.softmax(batch.last_instant(steps.logits, instants))
        count = whole_batch(tf.reduce_sum(tf.ones_like(weights)))
        loss = tf.math.divide_no_nan(tf.reduce_sum(losses * weights), count)
        return loss, means, batch.labeled_rows(inputs, labels, probabilities, weights)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = {"classes": list(self.classes), "preset": self.preset.to_dict(), "seed": self.seed}
        known = None if self.familiarity is None else list(self.familiarity.quantiles)
        return super().get_config() | own | {"familiarity": known}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> VRNN:
        """Invert `get_config`."""
        return cls(**config | {"preset": Preset.from_dict(config["preset"])})

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Do nothing: all weights are there from the beginning."""
        # Private to Keras: it would build from a batch, and fails where several workers have one.
