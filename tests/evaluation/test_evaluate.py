"""Evaluations agree with scikit-learn, scipy and plain loops."""

from __future__ import annotations

import csv
import dataclasses
import gc
import json
import warnings
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from sklearn import metrics
from sklearn.metrics.pairwise import cosine_similarity

from ser_keras import corpora
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError
from ser_keras.evaluation import metrics as ours
from ser_keras.evaluation import results
from ser_keras.evaluation.evaluate import Evaluation, evaluate
from ser_keras.evaluation.metrics import calibration_error, reliability
from ser_keras.features import extraction
from ser_keras.model import files as model_files
from ser_keras.model.cell import Step
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline

# design.md, section 6.
EVALUATION_KEYS = {
    "corpus",
    "split",
    "seed",
    "attention",
    "preset",
    "parameters",
    "n_test",
    "n_skipped_short",
    "weighted_accuracy",
    "unweighted_accuracy",
    "labels",
    "recall",
    "confusion_matrix",
    "sampled_fraction",
    "attention_similarity",
    "nll_per_instant",
    "kl_per_instant",
    "versions",
}
ADDED_KEYS = {
    "expected_calibration_error", "temperature", "n_failed", "n_unknown_emotion",
    "intervals", "by_speaker", "by_sex", "reliability",
}  # fmt: skip

CLASSES = ("angry", "calm", "sad", "absent")


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes; the last class is predicted but never true."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 3, 60), generator.integers(0, 4, 60)


@pytest.fixture
def attention() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W [N, T, D], instants [N] from 1 to T, labels [N]; all of class 2 have a single instant."""
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, 40)
    instants = np.where(labels == 2, 1, generator.integers(1, 6, 40))
    weights = (generator.random((40, 5, 7)) < 0.4).astype(np.float32)
    weights[:, 0] = 1.0
    weights *= np.arange(5)[:, np.newaxis] < instants[:, np.newaxis, np.newaxis]
    return weights, instants, labels


@pytest.fixture(scope="module")
def model(trained_run: Path) -> VRNN:
    return model_files.load(trained_run)


@pytest.fixture(scope="module")
def corpus(manifest: Path) -> Corpus:
    """Utterances of 5 to 9 instants and one of a single instant; nobody is calm."""
    whole = corpora.load("manifest", manifest)
    chosen = [index for index, utterance in enumerate(whole) if utterance.emotion != "calm"]
    subset = whole.subset(chosen)
    short = dataclasses.replace(subset[0], end=0.7)
    return dataclasses.replace(subset, utterances=(short, *subset.utterances[1:]))


@pytest.fixture(scope="module")
def extracted(model: VRNN, corpus: Corpus) -> extraction.Extraction:
    return extraction.extract_corpus(corpus, model.features, cache=False, progress=False)


@pytest.fixture(scope="module")
def evaluated(model: VRNN, corpus: Corpus) -> Evaluation:
    # Several batches of different lengths.
    return evaluate(model, corpus, "random", 7, batch_size=5, cache=False, progress=False)


@pytest.fixture(scope="module")
def singly(model: VRNN, extracted: extraction.Extraction) -> list[dict[str, np.ndarray]]:
    """The model's outputs for every utterance alone, without batches and padding."""
    return [
        {name: np.asarray(value[0]) for name, value in model(observations[np.newaxis]).items()}
        for observations in extracted.observations
    ]


def totals(
    attention: np.ndarray,
    instants: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...] = CLASSES,
) -> ours.AttentionTotals:
    """Added up in two batches."""
    summed = ours.AttentionTotals(classes, attention.shape[-1])
    for batch in (slice(None, 17), slice(17, None)):
        summed.add(attention[batch], instants[batch], labels[batch])
    return summed


def test_confusion_and_recall_are_those_of_scikit_learn(
    predictions: tuple[np.ndarray, np.ndarray],
):
    true, predicted = predictions
    matrix = ours.confusion_matrix(true, predicted, 4)
    expected = metrics.confusion_matrix(true, predicted, labels=range(4))
    np.testing.assert_array_equal(matrix, expected)
    recall = ours.per_class_recall(matrix)
    expected = metrics.recall_score(true, predicted, labels=range(3), average=None)
    np.testing.assert_allclose(recall[:3], expected)
    assert np.isnan(recall[3])


def test_sampled_fractions_are_those_of_a_loop(
    attention: tuple[np.ndarray, np.ndarray, np.ndarray],
):
    weights, instants, labels = attention
    shares: dict[str, list[float]] = {"all": [], "after": []}
    for label in range(4):
        shares |= {f"all {label}": [], f"after {label}": []}
    for number, label in enumerate(labels):
        for instant in range(instants[number]):
            share = sum(weights[number, instant].tolist()) / 7
            for name in ("all", f"all {label}"):
                shares[name].append(share)
            if instant:
                for name in ("after", f"after {label}"):
                    shares[name].append(share)
    sampled = totals(weights, instants, labels).sampled_fraction()
    assert sampled.with_first == pytest.approx(np.mean(shares["all"]), rel=1e-6)
    assert sampled.after_first == pytest.approx(np.mean(shares["after"]), rel=1e-6)
    for label, name in enumerate(CLASSES):
        for found, expected in (
            (sampled.per_emotion[name], shares[f"all {label}"]),
            (sampled.per_emotion_after_first[name], shares[f"after {label}"]),
        ):
            if expected:
                assert found == pytest.approx(np.mean(expected), rel=1e-6)
            else:
                assert np.isnan(found)
    assert sampled.per_emotion["sad"] == 1.0  # single instants, sampled whole


def test_attention_similarity_is_scikit_learns_cosine(
    attention: tuple[np.ndarray, np.ndarray, np.ndarray],
):
    weights, instants, labels = attention
    means = [
        np.mean(
            [weights[n, t] for n in range(40) if labels[n] == label for t in range(1, instants[n])],
            axis=0,
        )
        for label in (0, 1)
    ]
    similarity = totals(weights, instants, labels).similarity()
    np.testing.assert_allclose(similarity[:2, :2], np.abs(cosine_similarity(means)), rtol=1e-6)
    assert np.isnan(similarity[2:]).all()
    assert np.isnan(similarity[:, 2:]).all()


def test_attention_similarity_by_hand():
    # Mean attention (1, 0) of the one, (1, 1) of the other: cosine 1/sqrt(2).
    weights = np.array([[[1, 1], [1, 0], [0, 0]], [[1, 1], [1, 1], [1, 1]]], dtype=np.float32)
    similarity = totals(weights, np.array([2, 3]), np.array([0, 1]), ("a", "b")).similarity()
    np.testing.assert_allclose(similarity, [[1, 0.5**0.5], [0.5**0.5, 1]])


def test_nothing_after_the_first_instant_is_no_number():
    ones = np.ones((2, 1, 3), dtype=np.float32)
    instants, labels = np.array([1, 1]), np.array([0, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summed = totals(ones, instants, labels, ("a", "b"))
        sampled, similarity = summed.sampled_fraction(), summed.similarity()
    assert sampled.with_first == 1.0
    assert np.isnan(sampled.after_first)
    assert np.isnan(similarity).all()


def test_accuracies_are_those_of_scikit_learn(
    evaluated: Evaluation, singly: list[dict[str, np.ndarray]], corpus: Corpus
):
    true = [utterance.emotion for utterance in corpus]
    predicted = [corpus.emotions[int(one["probabilities"].argmax())] for one in singly]
    assert evaluated.n_test == len(corpus)
    assert evaluated.weighted_accuracy == pytest.approx(metrics.accuracy_score(true, predicted))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        expected = metrics.balanced_accuracy_score(true, predicted)
    assert evaluated.unweighted_accuracy == pytest.approx(expected)
    np.testing.assert_array_equal(
        evaluated.confusion_matrix,
        metrics.confusion_matrix(true, predicted, labels=evaluated.labels),
    )
    assert evaluated.labels == list(corpus.emotions)
    assert np.isnan(evaluated.recall["calm"])


def test_likelihood_and_divergence_are_those_of_scipy(
    evaluated: Evaluation,
    model: VRNN,
    extracted: extraction.Extraction,
    singly: list[dict[str, np.ndarray]],
):
    """Per instant, over all utterances, from the parameters that the model gives one by one."""
    nll, kl, predicted, instants = 0.0, 0.0, 0, 0
    for observations, one in zip(extracted.observations, singly, strict=True):
        standardized = np.asarray(model.standardization(observations[np.newaxis]))
        steps = Step.split(model.scan(standardized), model.cell.sizes)
        scale = np.exp(np.asarray(steps.next_log_scale[0], np.float64))
        density = scipy.stats.norm(np.asarray(steps.next_mean[0], np.float64), scale)
        nll -= density.logpdf(np.roll(standardized[0], -1, axis=0))[:-1].sum()
        predicted += len(observations) - 1
        mu, sigma = (one[name].astype(np.float64) for name in ("latent_mean", "latent_scale"))
        kl += sum(
            -scipy.stats.norm(m, s).entropy() + 0.5 * (np.log(2 * np.pi) + m**2 + s**2)
            for m, s in zip(mu.flat, sigma.flat, strict=True)
        )
        instants += len(observations)
    assert evaluated.nll_per_instant == pytest.approx(nll / predicted, rel=1e-4)
    assert evaluated.kl_per_instant == pytest.approx(kl / instants, rel=1e-4)


def test_sampled_fraction_and_similarity_are_those_of_single_utterances(
    evaluated: Evaluation, singly: list[dict[str, np.ndarray]], corpus: Corpus
):
    everything = np.concatenate([one["attention"] for one in singly])
    later = [one["attention"][1:] for one in singly]
    assert evaluated.sampled_fraction.with_first == pytest.approx(everything.mean(), rel=1e-5)
    assert evaluated.sampled_fraction.after_first == pytest.approx(
        np.concatenate(later).mean(), rel=1e-5
    )
    means = []
    for emotion in corpus.emotions:
        own = [
            w for w, utterance in zip(later, corpus, strict=True) if utterance.emotion == emotion
        ]
        means.append(np.concatenate(own).mean(axis=0) if own else np.full(13, np.nan))
    calm = corpus.emotions.index("calm")
    known = [index for index in range(8) if index != calm]
    similarity = np.array(evaluated.attention_similarity)
    np.testing.assert_allclose(
        similarity[np.ix_(known, known)],
        np.abs(cosine_similarity(np.array(means)[known])),
        rtol=1e-5,
    )
    assert np.isnan(similarity[calm]).all()
    assert np.isnan(evaluated.sampled_fraction.per_emotion["calm"])


def test_one_pass_gives_what_keras_predict_and_evaluate_give(
    evaluated: Evaluation, model: VRNN, extracted: extraction.Extraction
):
    batches = pipeline.batches(extracted, batch_size=5, classes=model.classes)
    outputs = model.predict(batches, verbose=0)
    terms = model.evaluate(batches, verbose=0, return_dict=True)
    instants, count = outputs["instants"], len(extracted.corpus)
    nll = terms["generation_nll"] * count / np.sum(instants - 1)
    assert evaluated.nll_per_instant == pytest.approx(nll, rel=1e-6)
    assert evaluated.kl_per_instant == pytest.approx(terms["kl"] * count / instants.sum(), rel=1e-6)
    assert evaluated.weighted_accuracy == pytest.approx(terms["accuracy"])
    sampled = evaluated.sampled_fraction
    assert sampled.with_first == pytest.approx(terms["sampled_fraction"], rel=1e-6)
    after_first = terms["sampled_fraction_after_first"]
    assert sampled.after_first == pytest.approx(after_first, rel=1e-6)
    for row, probabilities in zip(evaluated.predictions, outputs["probabilities"], strict=True):
        found = [row[f"probability_{emotion}"] for emotion in model.classes]
        np.testing.assert_allclose(found, probabilities, rtol=1e-6)


def test_a_second_evaluation_of_a_model_traces_nothing(
    evaluated: Evaluation, model: VRNN, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(VRNN, "call_with_terms", lambda *_: pytest.fail("traced again"))
    again = evaluate(model, corpus, batch_size=3, cache=False, progress=False)
    assert again.confusion_matrix == evaluated.confusion_matrix
    assert again.nll_per_instant == pytest.approx(evaluated.nll_per_instant, rel=1e-5)


def test_an_evaluated_model_is_freed_when_nobody_holds_it(trained_run: Path, corpus: Corpus):
    model = model_files.load(trained_run)
    evaluate(model, corpus.subset([1]), cache=False, progress=False)
    held = weakref.ref(model)
    del model
    gc.collect()
    assert held() is None


def test_what_was_evaluated_is_recorded(evaluated: Evaluation, tiny_settings: dict[str, Any]):
    assert (evaluated.corpus, evaluated.split, evaluated.seed) == ("manifest", "random", 7)
    assert (evaluated.preset, evaluated.attention) == ("ravdess", True)
    units, latent, size, classes = 8, tiny_settings["latent_size"], 13, 8
    lstms = sum(4 * ((inputs + units) * units + units) for inputs in (size, latent, latent))
    affine = (units + 1) * (2 * latent + 2 * size + classes)
    assert evaluated.parameters == lstms + affine


def test_short_and_broken_recordings_are_counted_told_and_left_out(
    model: VRNN, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    text = tmp_path / "text.wav"
    text.write_text("not sound")
    some = dataclasses.replace(
        corpus,
        utterances=(
            corpus[1],
            dataclasses.replace(corpus[2], end=0.3),
            dataclasses.replace(corpus[3], path=text),
        ),
    )
    evaluated = evaluate(model, some, cache=False, progress=False)
    assert (evaluated.n_test, evaluated.n_skipped_short, evaluated.n_failed) == (1, 1, 1)
    assert evaluated.n_unknown_emotion == 0
    assert len(evaluated.predictions) == 1
    told = capsys.readouterr().err
    assert str(text) in told
    assert "skipped 1 utterance shorter than one window" in told


def test_a_corpus_without_a_usable_recording_is_an_error(model: VRNN, corpus: Corpus):
    short = dataclasses.replace(corpus, utterances=(dataclasses.replace(corpus[1], end=0.1),))
    with pytest.raises(CorpusError, match="expected utterances that can be used, found none"):
        evaluate(model, short, progress=False)
    with pytest.raises(CorpusError, match="expected utterances that can be used, found none"):
        evaluate(model, corpus.subset([]), progress=False)


def test_emotions_none_of_which_the_model_knows_are_named(model: VRNN, corpus: Corpus):
    own = Corpus("own", (dataclasses.replace(corpus[1], emotion="bored"),), ("bored",))
    with pytest.raises(CorpusError, match=r"neutral, sad, surprised; found bored \(1\)"):
        evaluate(model, own, progress=False)


def test_another_corpus_order_of_classes_does_not_matter(
    model: VRNN, corpus: Corpus, evaluated: Evaluation
):
    turned = dataclasses.replace(corpus, emotions=tuple(reversed(corpus.emotions)))
    again = evaluate(model, turned, cache=False, progress=False)
    assert again.confusion_matrix == evaluated.confusion_matrix
    assert again.labels == evaluated.labels


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_evaluation_json_has_the_contracts_keys_and_no_nan(evaluated: Evaluation, tmp_path: Path):
    results.write(evaluated, tmp_path)
    text = (tmp_path / "evaluation.json").read_text(encoding="utf-8")
    written = json.loads(text, parse_constant=refuse)
    assert set(written) == EVALUATION_KEYS | ADDED_KEYS
    assert set(written["sampled_fraction"]) == {
        "with_first",
        "after_first",
        "per_emotion",
        "per_emotion_after_first",
    }
    for by_label in (
        written["recall"],
        written["sampled_fraction"]["per_emotion"],
        written["sampled_fraction"]["per_emotion_after_first"],
    ):
        assert list(by_label) == written["labels"]
        assert by_label["calm"] is None
    for matrix in (written["confusion_matrix"], written["attention_similarity"]):
        assert np.shape(matrix) == (8, 8)
    assert results.read(tmp_path) == written


def test_predictions_csv_has_a_row_per_utterance(
    evaluated: Evaluation,
    singly: list[dict[str, np.ndarray]],
    corpus: Corpus,
    tmp_path: Path,
):
    results.write(evaluated, tmp_path)
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [corpus.relative_path(one) for one in corpus]
    assert rows[0]["end"] == "0.7"
    assert rows[0]["instants"] == "1"
    for row, utterance, one in zip(rows, corpus, singly, strict=True):
        assert row["emotion"] == utterance.emotion
        assert row["speaker"] == utterance.speaker
        probabilities = [float(row[f"probability_{emotion}"]) for emotion in corpus.emotions]
        np.testing.assert_allclose(probabilities, one["probabilities"], rtol=1e-4)
        assert row["predicted"] == corpus.emotions[int(np.argmax(probabilities))]
        assert row["correct"] == str(int(row["predicted"] == row["emotion"]))
        assert int(row["instants"]) == len(one["timeline"])
        assert float(row["sampled_fraction"]) == pytest.approx(one["attention"].mean(), rel=1e-5)


def test_a_run_is_evaluated_on_its_own_test_subset(
    model: VRNN, trained_run: Path, manifest: Path, tmp_path: Path
):
    found = results.evaluate_run(model, trained_run, tmp_path)
    test = splits.read(trained_run / "split.csv", corpora.load("manifest", manifest))["test"]
    assert [row["file"] for row in found.predictions] == [test.relative_path(one) for one in test]
    assert (found.split, found.seed) == ("random", 7)
    written = {path.name for path in tmp_path.iterdir()}
    assert {"evaluation.json", "predictions.csv", "report.html", "attention.png"} <= written
    assert {"confusion_matrix.png", "attention_similarity.png", "learning_curves.png"} <= written
    assert "<script src" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    summary = results.summary(found)
    assert f"{found.weighted_accuracy:.1%}" in summary
    assert all(label in summary for label in found.labels)


def test_a_run_whose_corpus_lost_a_recording_is_not_evaluated(
    model: VRNN, trained_run: Path, manifest: Path, tmp_path: Path
):
    lines = manifest.read_text().splitlines()
    fewer = manifest.with_name("fewer.csv")
    fewer.write_text("\n".join(lines[:2]))
    config = json.loads((trained_run / "config.json").read_text())
    config["run"]["data"] = str(fewer)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "split.csv").write_text((trained_run / "split.csv").read_text())
    with pytest.raises(CorpusError, match="expected an utterance of the corpus"):
        results.evaluate_run(model, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_calibration_error_by_hand():
    # Two answers at 0.9, one right; two at 0.6, both right: |0.5 - 0.9| / 2 + |1 - 0.6| / 2.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    labels = np.array([0, 1, 0, 1])
    assert calibration_error(reliability(probabilities, labels)) == pytest.approx(0.4)
