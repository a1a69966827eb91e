"""k-fold cross-validation inside a training subset: the folds, and the score that they give.

The number of epochs is a hyperparameter like the others: it is chosen where the mean over folds is
best, the same for all folds. Choosing it fold by fold would flatter settings whose accuracy jumps
about. The test subset is never looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.corpora.whole_recordings import left_by, recordings_of
from ser_keras.errors import CorpusError
from ser_keras.fields import require

OBJECTIVES = ("weighted_accuracy", "unweighted_accuracy")


@dataclass(frozen=True)
class Protocol:
    """The protocol by which every trial is judged.

    Attributes:
        folds: k; each utterance of the training subset is held out once.
        by: "random", stratified by emotion, or "speaker": no speaker is in two folds.
        objective: "weighted_accuracy" or "unweighted_accuracy".
        patience: epochs without a better accuracy after which a fold's training stops.
        every: epochs from one evaluation to the next.
        seed: seed of the folds, the initial weights, the noise and the order of the utterances;
            trials share all of them, so that they differ by their settings alone.

    Example:
        >>> Protocol(folds=1)
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: folds: expected 2 or more, found 1
    """

    folds: int = 4
    by: str = "random"
    objective: str = "weighted_accuracy"
    patience: int = 50
    every: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("folds", 2), ("patience", 1), ("every", 1), ("seed", 0)):
            require(getattr(self, name) >= least, name, getattr(self, name), f"{least} or more")
        for name, known in (("by", ("random", "speaker")), ("objective", OBJECTIVES)):
            require(getattr(self, name) in known, name, getattr(self, name), " or ".join(known))


@dataclass(frozen=True)
class Curve:
    """A fold's accuracies on its held-out utterances, by epoch; fractions 0..1.

    Attributes:
        epochs: epochs trained before each evaluation, ascending, [E].
        weighted_accuracy, unweighted_accuracy: smoothed over the last evaluations, [E].

    Example:
        >>> Curve((5, 10), (0.5, 0.6), (0.4, 0.5)).epochs
        (5, 10)
    """

    epochs: tuple[int, ...]
    weighted_accuracy: tuple[float, ...]
    unweighted_accuracy: tuple[float, ...]


def folds(corpus: Corpus, protocol: Protocol) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide a training subset into k folds.

    Returns:
        Of each fold the indexes of the utterances trained on and of those held out, ascending; no
        recording is among both.

    Raises:
        CorpusError: the corpus is empty, or an emotion is missing from a fold.
        ConfigurationError: there are more folds than speakers.

    Example:
        >>> [(len(training), len(held_out)) for training, held_out in folds(corpus, Protocol(2))]
        [(16, 16), (16, 16)]
    """
    if not len(corpus):
        raise CorpusError(f"{corpus.name}: expected utterances to train on, found none")
    if protocol.by == "speaker":
        held_out = []
        for fold in range(protocol.folds):
            _, test = splits.by_speaker(corpus, fold, protocol.folds, protocol.seed)
            speakers = set(test.speakers)
            held_out.append([i for i, each in enumerate(corpus) if each.speaker in speakers])
    else:
        held_out = _stratified(corpus, protocol.folds, protocol.seed)
    _refuse_missing(corpus, held_out, protocol)
    # What is left of a recording that is held out in part, as by speaker, is not trained on.
    recordings = recordings_of(corpus)
    return [(np.array(left_by(recordings, chosen)[0]), np.array(chosen)) for chosen in held_out]


def _stratified(corpus: Corpus, count: int, seed: int) -> list[list[int]]:
    """Deal every emotion evenly to the folds, whatever order the utterances came in.

    A recording goes where the first of its utterances is dealt to.
    """
    labels, order = corpus.labels(), corpus.sorted_indexes()
    dealt: list[int] = []
    for label in range(len(corpus.emotions)):
        members = [index for index in order if labels[index] == label]
        dealt += np.random.default_rng([seed, label]).permutation(members).astype(int).tolist()
    # Emotions follow one another in one deal: the folds' sizes stay within one of another.
    recordings, fold_of = recordings_of(corpus), dict[int, int]()
    for turn, index in enumerate(dealt):
        fold_of.setdefault(recordings[index], turn % count)
    return [
        [index for index in range(len(corpus)) if fold_of[recordings[index]] == fold]
        for fold in range(count)
    ]


def _refuse_missing(corpus: Corpus, held_out: list[list[int]], protocol: Protocol) -> None:
    for fold, chosen in enumerate(held_out):
        present = corpus.subset(chosen).counts()
        missing = [emotion for emotion, count in present.items() if not count]
        if missing:
            counts = ", ".join(f"{count} {emotion}" for emotion, count in corpus.counts().items())
            raise CorpusError(
                f"fold {fold + 1} of {protocol.folds} by {protocol.by}: expected every emotion, "
                f"found no utterance of {', '.join(missing)}. The training subset has {counts}: "
                "take fewer folds, or more recordings"
            )


def score(curves: Sequence[Curve], objective: str) -> tuple[int, dict[str, tuple[float, ...]]]:
    """Find the number of epochs at which the objective's mean over folds is best.

    The folds are evaluated at the same epochs; one that stopped early keeps its last accuracy.

    Returns:
        The number of epochs, and both accuracies there, by name and fold.

    Example:
        >>> one = Curve((5, 10), (0.6, 0.5), (0.5, 0.5))
        >>> other = Curve((5, 10), (0.2, 0.6), (0.4, 0.4))
        >>> score([one, other], "weighted_accuracy")
        (10, {'weighted_accuracy': (0.5, 0.6), 'unweighted_accuracy': (0.5, 0.4)})
    """
    epochs = max((curve.epochs for curve in curves), key=len)

    def by_fold(name: str, evaluation: int) -> tuple[float, ...]:
        accuracies = [getattr(curve, name) for curve in curves]
        return tuple(known[min(evaluation, len(known) - 1)] for known in accuracies)

    best = int(np.argmax([np.mean(by_fold(objective, each)) for each in range(len(epochs))]))
    return epochs[best], {name: by_fold(name, best) for name in OBJECTIVES}


def should_prune(first: float, best_first: float, utterances: int) -> bool:
    """Tell whether a trial's first fold is significantly worse than the best trial's.

    The margin is two standard errors of the difference of two accuracies on that many utterances;
    the two were measured on the same ones, so that the true error is smaller.

    Args:
        first: the trial's accuracy on its first fold, 0..1.
        best_first: the best trial's.
        utterances: number held out in that fold.

    Example:
        >>> should_prune(0.46, 0.54, 240), should_prune(0.44, 0.56, 240)
        (False, True)
    """
    pooled = (first + best_first) / 2
    error = np.sqrt(2 * pooled * (1 - pooled) / utterances)
    return bool(first < best_first - 2 * error)
