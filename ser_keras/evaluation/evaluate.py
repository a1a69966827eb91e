"""The evaluation of a trained model on a corpus."""

from __future__ import annotations

import dataclasses
import functools
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ser_keras import provenance
from ser_keras.corpora.matching import match
from ser_keras.corpora.utterance import Corpus
from ser_keras.evaluation import adapted_speakers
from ser_keras.evaluation import among_corpus as own_classes
from ser_keras.evaluation.intervals import accuracy_intervals
from ser_keras.evaluation.metrics import (
    AttentionTotals,
    SampledFraction,
    accuracies,
    by_group,
    calibration_error,
    confusion_matrix,
    per_class_recall,
    ratio,
    reliability,
)
from ser_keras.evaluation.other_answers import OtherAnswers, measure
from ser_keras.features.extraction import extract_corpus
from ser_keras.interruption import deferred
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline, stored

Tensor = Any

# By model, so that its next evaluation need not trace it again.
_graphs: weakref.WeakKeyDictionary[VRNN, Any] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Evaluation:
    """The numbers of one test subset; fractions are 0..1, matrices follow `labels`.

    Attributes:
        corpus, split, seed, preset, attention: what was evaluated.
        parameters: trainable ones.
        n_test: utterances evaluated.
        n_skipped_short: utterances shorter than one window, left out as the paper does.
        n_failed: recordings that could not be read.
        n_unknown_emotion: utterances of an emotion that is not a class of the model, left out.
        weighted_accuracy: correct / all.
        unweighted_accuracy: mean of the recalls of the classes that occur.
        intervals: of both, by a bootstrap over speakers where they are known, else utterances.
        by_speaker, by_sex: both accuracies of each group, where it is known.
        recall: of each class; NaN for one that does not occur.
        confusion_matrix: rows are true classes, columns predictions.
        sampled_fraction: Table 2.
        attention_similarity: Figure 2.
        nll_per_instant: −log N(X_{t+1}; …) per predicted instant, in nats.
        kl_per_instant: KL per instant, in nats.
        expected_calibration_error: of the probabilities at the last instants.
        reliability: confidence and accuracy of the answers, in bins of confidence.
        temperature: the divisor of the model's logits.
        versions: of everything that can change a number.
        by_corpus: both accuracies of each corpus, where several are joined.
        among_corpus: of the answers among only the classes that the utterance's corpus has, if that
            was asked for.
        adapted_speakers: of the answers of the model adapted to each speaker by the others of their
            utterances, if that was asked for.
        predictions: the rows of `predictions.csv`, one per utterance. Both emotions of a row are
            classes of the model, so they can be compared even if the corpus has another word.

    Example:
        >>> evaluation = ser.evaluate(model, corpus, progress=False)
        >>> evaluation.n_test, evaluation.predictions[0]["emotion"]
        (32, 'angry')
    """

    corpus: str
    split: str
    seed: int | None
    attention: bool
    preset: str
    parameters: int
    n_test: int
    n_skipped_short: int
    n_failed: int
    n_unknown_emotion: int
    weighted_accuracy: float
    unweighted_accuracy: float
    intervals: dict[str, Any]
    by_speaker: dict[str, dict[str, float]]
    by_sex: dict[str, dict[str, float]]
    labels: list[str]
    recall: dict[str, float]
    confusion_matrix: list[list[int]]
    sampled_fraction: SampledFraction
    attention_similarity: list[list[float]]
    nll_per_instant: float
    kl_per_instant: float
    expected_calibration_error: float
    reliability: list[dict[str, float]]
    temperature: float
    versions: dict[str, str]
    predictions: list[dict[str, Any]] = field(repr=False)
    by_corpus: dict[str, dict[str, float]] = field(default_factory=dict)
    among_corpus: OtherAnswers | None = None
    adapted_speakers: OtherAnswers | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `evaluation.json`: all but the predictions and what is empty."""
        values = dataclasses.asdict(self)
        del values["predictions"]
        for name in ("by_corpus", "among_corpus", "adapted_speakers"):
            if not values[name]:
                del values[name]
        return values


def evaluate(
    model: VRNN,
    corpus: Corpus,
    split: str = "",
    seed: int | None = None,
    batch_size: int = 256,
    among_corpus: bool = False,
    adapt_speakers: bool = False,
    features: str | PathLike[str] | None = None,
    **extraction: Any,
) -> Evaluation:
    """Evaluate a trained model.

    An emotion of the corpus is the class of its name or of a synonym, such as angry for anger.
    Utterances of any other emotion are left out, counted, and reported on standard error. A class
    that the corpus lacks can still be predicted, and is wrong then.

    Args:
        model: the model; its classes decide what the labels mean.
        corpus: the test subset, of any corpus.
        split: how the subset was chosen, for the record.
        seed: of the run, for the record.
        batch_size: utterances per batch; changes only the speed.
        among_corpus: also measure the answers among only the classes of which the corpus has
            utterances; of joined corpora, each utterance's own.
        adapt_speakers: also measure the answers of the model adapted to each speaker, without
            labels, by the others of their utterances (`ser_keras.recognition.speaker_adaptation`).
        features: the folder of shards that the observations are read from; None extracts them.
        **extraction: options of `extraction.extract_corpus`.

    Raises:
        CorpusError: no utterance can be used, or none has an emotion that the model knows; speakers
            are to be adapted to, and none has enough utterances.

    Example:
        >>> evaluation = ser.evaluate(model, corpus, progress=False)
        >>> 0 <= evaluation.weighted_accuracy <= 1
        True
    """
    classes = model.classes
    matched = match(corpus, classes, "test subset")
    if features is None:
        extracted = extract_corpus(matched.corpus, model.features, name="test subset", **extraction)
    else:
        test = {"test": matched.corpus}
        extracted = stored.extract_subsets(features, test, model.features)["test"]
    batches = pipeline.batches(extracted, batch_size, classes=classes)
    attention = AttentionTotals(classes, model.features.observation_size)
    with stored.errors_of_reading():
        answers = _answer(model, batches, attention)

    labels = extracted.corpus.labels(classes)
    matrix = confusion_matrix(labels, answers.probabilities.argmax(axis=-1), len(classes))
    recall = per_class_recall(matrix)
    weighted_accuracy, unweighted_accuracy = accuracies(matrix)
    rows = _rows(extracted.corpus, answers, classes)
    among = adapted = None
    if among_corpus:
        own = own_classes.restrict(answers.probabilities, labels, extracted.corpus.by_source())
        among = measure(own, labels, classes, rows, own_classes.COLUMN)
    if adapt_speakers:
        speakers = [utterance.speaker for utterance in extracted.corpus]
        probabilities = adapted_speakers.adapt(answers.probabilities, speakers)
        adapted = measure(probabilities, labels, classes, rows, adapted_speakers.COLUMN)
    bins = reliability(answers.probabilities, labels)
    return Evaluation(
        corpus=corpus.name,
        split=split,
        seed=seed,
        attention=model.architecture.attention,
        preset=model.preset.name,
        parameters=int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        n_test=len(labels),
        n_skipped_short=len(extracted.skipped_short),
        n_failed=len(extracted.failed),
        n_unknown_emotion=sum(matched.unknown.values()),
        weighted_accuracy=weighted_accuracy,
        unweighted_accuracy=unweighted_accuracy,
        intervals=accuracy_intervals(rows, classes),
        by_speaker=by_group(rows, "speaker"),
        by_sex=by_group(rows, "sex"),
        labels=list(classes),
        recall=dict(zip(classes, recall.tolist(), strict=True)),
        confusion_matrix=matrix.tolist(),
        sampled_fraction=attention.sampled_fraction(),
        attention_similarity=attention.similarity().tolist(),
        # The last instant of an utterance predicts nothing that could be compared.
        nll_per_instant=float(ratio(answers.generation.sum(), (answers.instants - 1).sum())),
        kl_per_instant=float(ratio(answers.kl.sum(), answers.instants.sum())),
        expected_calibration_error=calibration_error(bins),
        reliability=bins,
        temperature=float(model.cell.temperature.numpy()),
        versions=provenance.versions(),
        predictions=rows,
        by_corpus=by_group(rows, "corpus") if corpus.sources else {},
        among_corpus=among,
        adapted_speakers=adapted,
    )


class _Answers(NamedTuple):
    """The model's answers by utterance."""

    probabilities: np.ndarray  # float32 [N, C], at the last instant
    instants: np.ndarray  # int32 [N]
    sampled_fraction: np.ndarray  # float32 [N], mean over instants
    generation: np.ndarray  # float32 [N], terms of Eq. 5 in nats
    kl: np.ndarray  # float32 [N]


def _answer(model: VRNN, batches: tf.data.Dataset, attention: AttentionTotals) -> _Answers:
    """Pass every batch through the model once, and add its attention to the totals."""
    eager = functools.partial(_outputs, model)
    answer = eager if model.run_eagerly else _graph(model, batches.element_spec)
    found = []
    with deferred() as interruption:
        for inputs, labels in batches:
            attended, *values = (value.numpy() for value in answer(inputs, labels))
            attention.add(attended, inputs["instants"].numpy(), labels.numpy())
            found.append(values)
            interruption.check()
    return _Answers(*map(np.concatenate, zip(*found, strict=True)))


def _outputs(model: VRNN, inputs: dict[str, Tensor], labels: Tensor) -> tuple[Tensor, ...]:
    """Return the attention of a batch, then the fields of `_Answers`."""
    outputs, terms = model.call_with_terms(inputs, labels)
    instants = outputs["instants"]
    sampled = tf.reduce_sum(outputs["sampled_fraction"], axis=1) / tf.cast(instants, tf.float32)
    answers = _Answers(outputs["probabilities"], instants, sampled, terms.generation, terms.kl)
    return outputs["attention"], *answers


def _graph(model: VRNN, signature: Any) -> Any:
    """Return `_outputs` as a graph for batches of any length, which is kept while the model is."""
    if model not in _graphs:
        # A graph that held its own model would keep it for ever.
        itself: Any = weakref.proxy(model)
        _graphs[model] = tf.function(functools.partial(_outputs, itself))
    return _graphs[model].get_concrete_function(*signature)


def _rows(corpus: Corpus, answers: _Answers, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of `predictions.csv`."""
    rows = []
    has_channels = any(utterance.channel is not None for utterance in corpus)
    for utterance, probabilities, instants, sampled, *_ in zip(corpus, *answers, strict=True):
        predicted = classes[int(probabilities.argmax())]
        rows.append(
            {
                "file": corpus.relative_path(utterance),
                "start": utterance.start,
                "end": utterance.end,
                **({"channel": utterance.channel} if has_channels else {}),
                **({"corpus": utterance.corpus} if corpus.sources else {}),
                "speaker": utterance.speaker,
                "sex": utterance.sex,
                "emotion": utterance.emotion,
                "predicted": predicted,
                "correct": int(predicted == utterance.emotion),
                "instants": int(instants),
                "sampled_fraction": float(sampled),
                **{
                    f"probability_{emotion}": float(probability)
                    for emotion, probability in zip(classes, probabilities, strict=True)
                },
            }
        )
    return rows
