"""k folds inside a training part: how good a preset is, without a look at the test part.

A fold's model is answered for at every few epochs. The number of epochs is a hyperparameter like
the others: it is chosen where the mean over folds is best, the same for all folds. Choosing it fold
by fold would flatter settings whose accuracy jumps about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.evaluation.metrics import confusion_matrix, per_class_recall
from ser_keras.features.extraction import Extraction
from ser_keras.interruption import deferred
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.training import callbacks, pipeline
from ser_keras.training.checkpoint import RepeatableEpochs

KINDS = ("random", "speaker")
OBJECTIVES = ("weighted_accuracy", "unweighted_accuracy")
Indexes = Sequence[int] | np.ndarray

SMOOTHED = 3  # answers whose mean counts: a single one of a few hundred utterances jumps about


@dataclass(frozen=True)
class Protocol:
    """How every trial is judged.

    Attributes:
        folds: k; each utterance of the training part is held out once.
        by: "random", stratified by emotion, or "speaker": nobody is heard in two folds.
        objective: "weighted_accuracy" or "unweighted_accuracy".
        patience: epochs without a better answer after which a fold's training stops.
        every: epochs from one answer to the next.
        seed: of the folds, the initial weights, the noise and the order of the utterances; trials
            share all of them, so that they differ by their settings alone.
    """

    folds: int = 4
    by: str = "random"
    objective: str = "weighted_accuracy"
    patience: int = 50
    every: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("folds", 2), ("patience", 1), ("every", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigurationError(
                    f"{name}: expected {least} or more, found {getattr(self, name)}"
                )
        for name, known in (("by", KINDS), ("objective", OBJECTIVES)):
            if getattr(self, name) not in known:
                raise ConfigurationError(
                    f"{name}: expected {' or '.join(known)}, found {getattr(self, name)!r}"
                )


@dataclass(frozen=True)
class Curve:
    """What a fold's model answered on the utterances held out, by epoch; fractions 0..1.

    Attributes:
        epochs: how many it had been trained for, ascending, [E].
        weighted_accuracy, unweighted_accuracy: means of the last `SMOOTHED` answers, [E].
    """

    epochs: tuple[int, ...]
    weighted_accuracy: tuple[float, ...]
    unweighted_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Score:
    """The folds of one preset together.

    Attributes:
        epochs: where the objective's mean over folds was best.
        weighted_accuracy, unweighted_accuracy: at those epochs, one per fold.
    """

    epochs: int
    weighted_accuracy: tuple[float, ...]
    unweighted_accuracy: tuple[float, ...]

    def mean(self, objective: str) -> float:
        """The objective's mean over folds."""
        return float(np.mean(getattr(self, objective)))


def folds(corpus: Corpus, protocol: Protocol) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split a training part into k folds.

    Returns:
        Of each fold the indexes of the utterances trained on and of those held out, ascending.

    Raises:
        CorpusError: the corpus is empty, or an emotion is missing from a fold.
        ConfigurationError: there are more folds than speakers.
    """
    if not len(corpus):
        raise CorpusError(f"{corpus.name}: found no utterance to train on")
    if protocol.by == "speaker":
        position = {id(utterance): index for index, utterance in enumerate(corpus)}
        held_out = [
            sorted(position[id(utterance)] for utterance in test)
            for fold in range(protocol.folds)
            for _, test in [splits.by_speaker(corpus, fold, protocol.folds, protocol.seed)]
        ]
    else:
        held_out = _stratified(corpus, protocol.folds, protocol.seed)
    _refuse_missing(corpus, held_out, protocol)
    everything = np.arange(len(corpus))
    return [(np.setdiff1d(everything, chosen), np.array(chosen)) for chosen in held_out]


def _stratified(corpus: Corpus, count: int, seed: int) -> list[list[int]]:
    """Indexes of each fold: every emotion dealt evenly, whatever order the utterances came in."""
    labels = corpus.labels()
    order = sorted(range(len(corpus)), key=lambda index: corpus.utterance_key(corpus[index]))
    dealt: list[list[int]] = [[] for _ in range(count)]
    given = 0
    for label in range(len(corpus.emotions)):
        members = [index for index in order if labels[index] == label]
        for index in np.random.default_rng([seed, label]).permutation(members).astype(int):
            # Going on where the last emotion ended keeps the folds' sizes within one of another.
            dealt[given % count].append(int(index))
            given += 1
    return [sorted(fold) for fold in dealt]


def _refuse_missing(corpus: Corpus, held_out: list[list[int]], protocol: Protocol) -> None:
    labels = corpus.labels()
    for fold, chosen in enumerate(held_out):
        present = set(labels[chosen].tolist())
        missing = [name for label, name in enumerate(corpus.emotions) if label not in present]
        if missing:
            counts = ", ".join(f"{count} {emotion}" for emotion, count in corpus.counts().items())
            raise CorpusError(
                f"fold {fold + 1} of {protocol.folds} by {protocol.by}: found no utterance of "
                f"{', '.join(missing)}; expected every emotion in every fold. The training part "
                f"has {counts}: take fewer folds, or more recordings"
            )


class FoldTrainer:
    """Trains one preset on fold after fold.

    The model is made once and put back to its beginning for every fold: tracing its graphs would
    otherwise take a good part of a trial.

    Args:
        preset: what to train; its epochs are the most that are trained. With a schedule or an
            average of weights, it is trained for all of them, and answers at the end alone: an
            epoch in between is not what a shorter training would end with.
        extracted: the whole training part, and after it any varied copies of its utterances.
        protocol: how it is judged.
    """

    def __init__(self, preset: Preset, extracted: Extraction, protocol: Protocol) -> None:
        self.preset = preset
        self.extracted = extracted
        self.protocol = protocol
        self.epochs_trained = 0
        self._model = VRNN.from_preset(preset, extracted.corpus.emotions, seed=protocol.seed)
        self._model.compile()
        # A graph of the answer alone: `predict` would give attention and saliency as well.
        model = self._model
        answer = tf.function(lambda inputs: tf.argmax(model(inputs)["logits"], axis=-1))
        inputs, _ = pipeline.batches(extracted, 1).element_spec
        self._answer = answer.get_concrete_function(inputs)
        variables = [*self._model.variables, *self._model.optimizer.variables]
        self._beginning = [(variable, variable.numpy()) for variable in variables]

    def fold(self, training: Indexes, held_out: Indexes) -> Curve:
        """Train on some utterances, answering for others.

        Args:
            training: indexes into the training part.
            held_out: others.
        """
        for variable, value in self._beginning:
            variable.assign(value)
        heard = subset(self.extracted, self._with_copies(training))
        optimization = self.preset.optimization
        size, epochs = optimization.batch_size, optimization.epochs
        epoch = tf.Variable(0, dtype=tf.int64)
        with deferred():
            self._model.adapt(pipeline.batches(heard, size))
        changes = callbacks.of_preset(self.preset)
        answers = HeldOut(
            subset(self.extracted, held_out),
            self._answer,
            self.protocol,
            at_end=bool(changes) or optimization.weight_average > 0,
        )
        with deferred() as interruption:
            history = self._model.fit(
                pipeline.batches(heard, size, shuffle=True, seed=self.protocol.seed, epoch=epoch),
                epochs=epochs,
                shuffle=False,  # the pipeline does
                verbose=0,
                callbacks=[
                    *changes,
                    RepeatableEpochs(self.protocol.seed, epoch),
                    answers,
                    callbacks.StopBetweenBatches(interruption),
                ],
            )
        self.epochs_trained += len(history.epoch)
        return answers.curve()

    def _with_copies(self, training: Indexes) -> list[int]:
        """Indexes of the utterances, and of their varied copies."""
        chosen = {self.extracted.corpus[int(index)] for index in training}
        return [index for index, heard in enumerate(self.extracted.corpus) if heard in chosen]


class HeldOut(keras.callbacks.Callback):
    """Answers for utterances held out every few epochs, and stops when it gets no better.

    Args:
        extracted: the utterances held out.
        answer: inputs, as `pipeline.batches` gives them, to classes, int [B].
        protocol: how often, and what counts as better.
        at_end: answer only when training has ended, and do not end it.
    """

    def __init__(
        self, extracted: Extraction, answer: Any, protocol: Protocol, at_end: bool = False
    ) -> None:
        super().__init__()
        self.at_end = at_end
        self._answer = answer
        self.protocol = protocol
        self._batches = list(pipeline.batches(extracted, 256))
        self._labels = extracted.corpus.labels()
        self._classes = len(extracted.corpus.emotions)
        self._epochs: list[int] = []
        self._answers: list[tuple[float, float]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Answer if it is time."""
        done = epoch + 1
        if self.at_end or (done % self.protocol.every and done < self.params["epochs"]):
            return
        self._note(done)
        curve = self.curve()
        objective = getattr(curve, self.protocol.objective)
        if done - curve.epochs[int(np.argmax(objective))] >= self.protocol.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Answer with the weights that training ends with, which may be an average."""
        if self.at_end:
            self._note(self.params["epochs"])

    def _note(self, done: int) -> None:
        predicted = np.concatenate([self._answer(inputs).numpy() for inputs, _ in self._batches])
        matrix = confusion_matrix(self._labels, predicted, self._classes)
        accuracy = float(np.trace(matrix) / len(self._labels))
        self._epochs.append(done)
        self._answers.append((accuracy, float(np.nanmean(per_class_recall(matrix)))))

    def curve(self) -> Curve:
        """All answers so far, each the mean of the last few."""
        weighted, unweighted = (
            tuple(
                float(np.mean(values[max(end - SMOOTHED, 0) : end]))
                for end in range(1, len(values) + 1)
            )
            for values in np.array(self._answers).T
        )
        return Curve(tuple(self._epochs), weighted, unweighted)


def subset(extracted: Extraction, indexes: Indexes) -> Extraction:
    """Some of the utterances extracted."""
    return Extraction(
        corpus=extracted.corpus.subset(indexes),
        observations=[extracted.observations[index] for index in indexes],
        durations=extracted.durations[list(indexes)],
        skipped_short=(),
        failed=(),
    )


def score(curves: Sequence[Curve], objective: str) -> Score:
    """Average folds at the one number of epochs that is best for them together.

    A fold that stopped early keeps its last answer.

    Args:
        curves: of the folds, with answers at the same epochs as far as they go.
        objective: "weighted_accuracy" or "unweighted_accuracy".
    """
    grid = max((curve.epochs for curve in curves), key=len)
    weighted, unweighted = (
        np.array([_extended(getattr(curve, name), len(grid)) for curve in curves])
        for name in OBJECTIVES
    )
    means = (weighted if objective == OBJECTIVES[0] else unweighted).mean(axis=0)
    best = int(np.argmax(means))
    return Score(grid[best], tuple(weighted[:, best].tolist()), tuple(unweighted[:, best].tolist()))


def _extended(values: Sequence[float], length: int) -> list[float]:
    return [*values, *[values[-1]] * (length - len(values))]


def hopeless(first: float, best_first: float, utterances: int) -> bool:
    """Whether a trial's first fold lies too far below that of the best trial so far.

    Two standard errors of the difference of two accuracies on that many utterances; the two were
    measured on the same ones, so that the true error is smaller.

    Args:
        first: the trial's accuracy on its first fold, 0..1.
        best_first: that of the best trial.
        utterances: held out in that fold.
    """
    pooled = (first + best_first) / 2
    error = np.sqrt(2 * pooled * (1 - pooled) / utterances)
    return first < best_first - 2 * error
