"""How often the model is right, what it sampled, and how alike its attention is by emotion."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ser_keras import provenance
from ser_keras.corpora.matching import known
from ser_keras.corpora.utterance import Corpus
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.files import write_text
from ser_keras.interruption import deferred
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline
from ser_keras.training.calibration import expected_calibration_error
from ser_keras.training.callbacks import StopBetweenBatches


@dataclass(frozen=True)
class SampledFraction:
    """Share of the observation that the model sampled, over all instants (Table 2)."""

    with_first: float
    after_first: float
    per_emotion: dict[str, float]
    per_emotion_after_first: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """The numbers of one test part; fractions are 0..1, matrices follow `labels`.

    Attributes:
        corpus, split, seed, preset, attention: what was evaluated.
        parameters: trainable ones.
        n_test: utterances answered.
        n_skipped_short: utterances shorter than one window, left out as the paper does.
        n_failed: recordings that could not be read.
        n_unknown_emotion: utterances of an emotion that is not a class of the model, left out.
        weighted_accuracy: correct / all.
        unweighted_accuracy: mean of the recalls of the classes that occur.
        recall: of each class; NaN for one that does not occur.
        confusion_matrix: rows are true classes, columns answers.
        sampled_fraction: Table 2.
        attention_similarity: Figure 2.
        nll_per_instant: −log N(X_{t+1}; …) per predicted instant, in nats.
        kl_per_instant: KL per instant, in nats.
        expected_calibration_error: of the probabilities at the last instants.
        temperature: that the model divides its logits by.
        versions: of everything that can change a number.
        predictions: a row per utterance, what `predictions.csv` holds.
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
    labels: list[str]
    recall: dict[str, float]
    confusion_matrix: list[list[int]]
    sampled_fraction: SampledFraction
    attention_similarity: list[list[float]]
    nll_per_instant: float
    kl_per_instant: float
    expected_calibration_error: float
    temperature: float
    versions: dict[str, str]
    predictions: list[dict[str, Any]] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """What `evaluation.json` holds."""
        values = dataclasses.asdict(self)
        del values["predictions"]
        return values

    def write_predictions(self, path: Path) -> None:
        """Write `predictions.csv`: file, true and answered emotion, probabilities.

        Both emotions are the model's classes, so that they can be compared, also where the corpus
        has another word for it: `angry` for what CREMA-D calls anger.

        Raises:
            OutputError: it cannot be written.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.predictions[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.predictions)
        write_text(path, text.getvalue())


def evaluate(
    model: VRNN,
    corpus: Corpus,
    split: str = "",
    seed: int | None = None,
    batch_size: int = 256,
    **extraction: Any,
) -> Evaluation:
    """Evaluate a trained model.

    An emotion of the corpus is the class of its name, else one that is a synonym, such as angry
    for anger. Utterances of any other emotion are left out, counted, and told on standard error. A
    class that the corpus lacks can still be answered, and is wrong then.

    Args:
        model: the model; its classes decide what the labels mean.
        corpus: the test part, of whatever corpus.
        split: how it was chosen, for the record.
        seed: of the run, for the record.
        batch_size: utterances per batch; changes the speed alone.
        **extraction: options of `extraction.extract_corpus`.

    Raises:
        CorpusError: no utterance can be used, or none has an emotion that the model knows.
    """
    matched = known(corpus, model.classes, "the test part")
    extracted = extract_corpus(matched.corpus, model.features, name="test subset", **extraction)
    batches = pipeline.batches(extracted, batch_size, classes=model.classes)
    if not model.compiled:
        model.compile()
    with deferred() as interruption:
        stop = StopBetweenBatches(interruption)
        outputs = model.predict(batches, verbose=0, callbacks=[stop])
        terms = model.evaluate(batches, verbose=0, callbacks=[stop], return_dict=True)

    labels = extracted.corpus.labels(model.classes)
    matrix = confusion_matrix(labels, outputs["probabilities"].argmax(axis=-1), len(model.classes))
    recall = per_class_recall(matrix)
    instants = outputs["instants"]
    count = len(labels)
    return Evaluation(
        corpus=corpus.name,
        split=split,
        seed=seed,
        attention=model.architecture.attention,
        preset=model.preset.name,
        parameters=int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        n_test=count,
        n_skipped_short=len(extracted.skipped_short),
        n_failed=len(extracted.failed),
        n_unknown_emotion=sum(matched.unknown.values()),
        weighted_accuracy=float(np.trace(matrix) / count),
        unweighted_accuracy=float(np.nanmean(recall)),
        labels=list(model.classes),
        recall=dict(zip(model.classes, recall.tolist(), strict=True)),
        confusion_matrix=matrix.tolist(),
        sampled_fraction=sampled_fraction(outputs["attention"], instants, labels, model.classes),
        attention_similarity=attention_similarity(
            outputs["attention"], instants, labels, len(model.classes)
        ).tolist(),
        nll_per_instant=_ratio(terms["generation_nll"] * count, np.sum(instants - 1)),
        kl_per_instant=_ratio(terms["kl"] * count, np.sum(instants)),
        expected_calibration_error=expected_calibration_error(outputs["probabilities"], labels),
        temperature=float(model.cell.temperature.numpy()),
        versions=provenance.versions(),
        predictions=_rows(extracted, outputs, model.classes),
    )


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts of (true class, answer): int [N] and int [N] to int64 [C, C]."""
    pairs = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes)


def per_class_recall(matrix: np.ndarray) -> np.ndarray:
    """Share of each class that was recognised, [C]; NaN for a class that does not occur."""
    totals = matrix.sum(axis=1)
    recall = np.full(len(matrix), np.nan)
    np.divide(np.diagonal(matrix), totals, out=recall, where=totals > 0)
    return recall


def sampled_fraction(
    attention: np.ndarray, instants: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> SampledFraction:
    """Table 2, with the first instant (which is sampled whole) and without it.

    Args:
        attention: W_t, [N, T, D].
        instants: valid ones of each utterance, int [N].
        labels: true classes, int [N].
        classes: their names.
    """
    shares = attention.mean(axis=-1)
    valid = np.arange(attention.shape[1]) < instants[:, np.newaxis]
    later = valid & (np.arange(attention.shape[1]) > 0)

    def by_emotion(chosen: np.ndarray) -> dict[str, float]:
        return {
            emotion: _mean(shares[chosen & (labels == label)[:, np.newaxis]])
            for label, emotion in enumerate(classes)
        }

    return SampledFraction(
        with_first=_mean(shares[valid]),
        after_first=_mean(shares[later]),
        per_emotion=by_emotion(valid),
        per_emotion_after_first=by_emotion(later),
    )


def attention_similarity(
    attention: np.ndarray, instants: np.ndarray, labels: np.ndarray, classes: int
) -> np.ndarray:
    """Figure 2: absolute cosine between the emotions' mean attention vectors.

    First instants are left out: everything is sampled there, whatever the emotion.

    Args:
        attention: W_t, [N, T, D].
        instants: valid ones of each utterance, int [N].
        labels: true classes, int [N].
        classes: C.

    Returns:
        [C, C]; NaN where an emotion has no second instant.
    """
    later = np.arange(attention.shape[1]) < instants[:, np.newaxis]
    later[:, 0] = False
    means = np.full((classes, attention.shape[-1]), np.nan)
    for label in range(classes):
        vectors = attention[later & (labels == label)[:, np.newaxis]]
        if len(vectors):
            means[label] = vectors.mean(axis=0)
    units = means / np.linalg.norm(means, axis=-1, keepdims=True)
    # Rounding puts the cosine of a vector with itself a hair above 1.
    return np.minimum(np.abs(units @ units.T), 1.0)


def _rows(
    extracted: Extraction, outputs: dict[str, np.ndarray], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows of `predictions.csv`."""
    rows = []
    for index, utterance in enumerate(extracted.corpus):
        probabilities = outputs["probabilities"][index]
        answer = classes[int(probabilities.argmax())]
        valid = int(outputs["instants"][index])
        rows.append(
            {
                "file": extracted.corpus.relative_path(utterance),
                "start": "" if utterance.start is None else utterance.start,
                "end": "" if utterance.end is None else utterance.end,
                "speaker": utterance.speaker,
                "emotion": utterance.emotion,
                "predicted": answer,
                "correct": int(answer == utterance.emotion),
                "instants": valid,
                "sampled_fraction": float(outputs["sampled_fraction"][index, :valid].mean()),
                **{
                    f"probability_{emotion}": float(probability)
                    for emotion, probability in zip(classes, probabilities, strict=True)
                },
            }
        )
    return rows


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _ratio(total: float, count: int | np.integer) -> float:
    return float(total / count) if count else float("nan")
