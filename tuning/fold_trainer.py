"""Training on one fold after another, evaluated on the held-out utterances now and then."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras.evaluation.metrics import confusion_matrix, per_class_recall
from ser_keras.features.extraction import Extraction
from ser_keras.interruption import deferred
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.training import callbacks, pipeline
from ser_keras.training.checkpoint import RepeatableEpochs
from ser_keras.tuning.cross_validation import Curve, Protocol

SMOOTHED = 3  # evaluations averaged: a single one on a few hundred utterances jumps about

_Indexes = Sequence[int] | np.ndarray


class FoldTrainer:
    """Trainer of one preset on fold after fold.

    The model is made once and its initial state restored for every fold: tracing its graphs would
    otherwise take a good share of a trial.

    Args:
        preset: the preset to train; its epochs are the most that are trained. With a learning-rate
            schedule or averaged weights all of them are trained and only the end is evaluated: an
            epoch in between is not what a shorter training would end with.
        extracted: the whole training subset, and after it any varied copies of its utterances.
        protocol: how the preset is judged.

    Example:
        >>> from ser_keras.features.extraction import extract_corpus
        >>> preset = ser.Preset("tiny", model.features, model.architecture)
        >>> extracted = extract_corpus(corpus, model.features, progress=False)
        >>> trainer = FoldTrainer(preset.with_settings({"epochs": 1}), extracted, Protocol(2))
        >>> trainer.fold(range(8), range(8, 16)).epochs
        (1,)
    """

    def __init__(self, preset: Preset, extracted: Extraction, protocol: Protocol) -> None:
        self.preset, self.extracted, self.protocol = preset, extracted, protocol
        self.epochs_trained = 0
        model = VRNN.from_preset(preset, extracted.corpus.emotions, seed=protocol.seed)
        model.compile()
        self._model = model
        # A graph of the classes alone: `predict` would compute attention and saliency as well.
        predict = tf.function(lambda inputs: tf.argmax(model(inputs)["logits"], axis=-1))
        inputs, _ = pipeline.batches(extracted, 1).element_spec
        self._predict = predict.get_concrete_function(inputs)
        variables = [*model.variables, *model.optimizer.variables]
        self._initial = [(variable, variable.numpy()) for variable in variables]

    def fold(self, training: _Indexes, held_out: _Indexes) -> Curve:
        """Train on utterances of the training subset, and evaluate on others; both by index."""
        for variable, value in self._initial:
            variable.assign(value)
        subset, seed = self._subset(self._with_copies(training)), self.protocol.seed
        optimization = self.preset.optimization
        size, epoch = optimization.batch_size, tf.Variable(0, dtype=tf.int64)
        with deferred():
            self._model.adapt(pipeline.batches(subset, size))
        changes = callbacks.of_preset(self.preset)
        at_end = bool(changes) or optimization.weight_average > 0
        evaluation = _HeldOutEvaluation(
            self._subset(held_out), self._predict, self.protocol, at_end
        )
        with deferred() as interruption:
            history = self._model.fit(
                pipeline.batches(
                    subset,
                    size,
                    shuffle=True,
                    seed=seed,
                    epoch=epoch,
                    balance=optimization.balance,
                    epoch_draws=optimization.epoch_draws,
                ),
                epochs=optimization.epochs,
                shuffle=False,  # the pipeline does
                verbose=0,
                callbacks=[
                    *changes,
                    RepeatableEpochs(seed, epoch),
                    evaluation,
                    callbacks.stop_between_batches(interruption),
                ],
            )
        self.epochs_trained += len(history.epoch)
        return evaluation.curve()

    def _with_copies(self, training: _Indexes) -> list[int]:
        """Return the indexes of the utterances and of their varied copies, which equal them."""
        corpus = self.extracted.corpus
        chosen = {corpus[int(index)] for index in training}
        return [index for index, utterance in enumerate(corpus) if utterance in chosen]

    def _subset(self, indexes: _Indexes) -> Extraction:
        return dataclasses.replace(
            self.extracted,
            corpus=self.extracted.corpus.subset(indexes),
            observations=[self.extracted.observations[index] for index in indexes],
            durations=self.extracted.durations[list(indexes)],
        )


class _HeldOutEvaluation(keras.callbacks.Callback):
    """Evaluation on held-out utterances every few epochs, which stops a training that stagnates.

    `predict` makes class indexes, int64 [B], of the inputs that `pipeline.batches` gives. With
    `at_end` it evaluates when training has ended, and never stops it.
    """

    def __init__(
        self, extracted: Extraction, predict: Any, protocol: Protocol, at_end: bool
    ) -> None:
        super().__init__()
        self._predict, self._protocol, self._at_end = predict, protocol, at_end
        self._batches = list(pipeline.batches(extracted, 256))
        self._labels = extracted.corpus.labels()
        self._classes = len(extracted.corpus.emotions)
        self._epochs: list[int] = []
        self._accuracies: list[tuple[float, float]] = []  # weighted and unweighted

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        done = epoch + 1
        due = done % self._protocol.every == 0 or done == self.params["epochs"]
        if self._at_end or not due:
            return
        self._evaluate(done)
        curve = self.curve()
        best = int(np.argmax(getattr(curve, self._protocol.objective)))
        if done - curve.epochs[best] >= self._protocol.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        # Not in `on_epoch_end`: averaged weights are assigned when training ends.
        if self._at_end:
            self._evaluate(self.params["epochs"])

    def _evaluate(self, done: int) -> None:
        predicted = np.concatenate([self._predict(inputs).numpy() for inputs, _ in self._batches])
        matrix = confusion_matrix(self._labels, predicted, self._classes)
        weighted = float(np.trace(matrix) / len(self._labels))
        self._epochs.append(done)
        self._accuracies.append((weighted, float(np.nanmean(per_class_recall(matrix)))))

    def curve(self) -> Curve:
        """Return all accuracies so far, each the mean of the last few evaluations."""
        ends = range(1, len(self._epochs) + 1)
        smoothed = (
            tuple(float(np.mean(values[max(end - SMOOTHED, 0) : end])) for end in ends)
            for values in np.array(self._accuracies).T  # [2, evaluations]
        )
        return Curve(tuple(self._epochs), *smoothed)
