"""Balanced sampling: groups weigh the same in every epoch, and an epoch repeats."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import ConfigurationError
from ser_keras.features.extraction import Extraction
from ser_keras.model.settings import Optimization
from ser_keras.training import pipeline
from ser_keras.training.balance import expected_draws
from ser_keras.training.buckets import Buckets
from ser_keras.training.run import TrainingRun
from ser_keras.training.train import train

EMOTIONS = ("neutral", "calm", "angry")
# Utterances by corpus and emotion; the second corpus knows no calm.
COUNTS = {
    ("a", "neutral"): 8, ("a", "calm"): 12, ("a", "angry"): 4,
    ("b", "neutral"): 90, ("b", "angry"): 30,
}  # fmt: skip
TOTAL = sum(COUNTS.values())


def extraction(seed: int = 0) -> Extraction:
    """Utterance i consists of the number i, 1 to 30 instants long; the lengths tell the corpora."""
    rng = np.random.default_rng(seed)
    utterances = [
        Utterance(Path(f"{corpus}{emotion}{i:03d}.wav"), emotion, corpus=corpus)
        for (corpus, emotion), count in COUNTS.items()
        for i in range(count)
    ]
    longest = {"a": 12, "b": 30}
    lengths = [int(rng.integers(1, longest[utterance.corpus])) for utterance in utterances]
    return Extraction(
        corpus=Corpus("a+b", tuple(utterances), EMOTIONS),
        observations=[np.full((t, 2), i, np.float32) for i, t in enumerate(lengths)],
        durations=np.zeros(len(lengths)),
        skipped_short=(),
        failed=(),
    )


def epoch_of(batches: tf.data.Dataset) -> list[list[int]]:
    """The utterances of each batch."""
    return [inputs["observations"].numpy()[:, 0, 0].astype(int).tolist() for inputs, _ in batches]


def by_group(corpus: Corpus, drawn: list[int], *fields: str) -> dict[tuple[str, ...], int]:
    return Counter(tuple(getattr(corpus[i], name) for name in fields) for i in drawn)


def shares(balance: str, *fields: str) -> dict[tuple[str, ...], float]:
    corpus = extraction().corpus
    totals: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for utterance, draws in zip(corpus, expected_draws(corpus, balance), strict=True):
        totals[tuple(getattr(utterance, name) for name in fields)] += draws / TOTAL
    return totals


def test_nothing_balanced_draws_every_utterance_once():
    np.testing.assert_array_equal(expected_draws(extraction().corpus, "none"), np.ones(TOTAL))


def test_corpora_are_drawn_equally_often():
    assert shares("corpus", "corpus") == pytest.approx({("a",): 1 / 2, ("b",): 1 / 2})
    # Within a corpus everything stays as it is.
    assert shares("corpus", "corpus", "emotion")["b", "angry"] == pytest.approx(1 / 2 * 30 / 120)


def test_emotions_are_drawn_equally_often():
    expected = {(emotion,): 1 / 3 for emotion in EMOTIONS}
    assert shares("emotion", "emotion") == pytest.approx(expected)


def test_both_are_corpora_and_the_emotions_that_each_has():
    assert shares("corpus,emotion", "corpus", "emotion") == pytest.approx(
        {group: 1 / 2 / (3 if group[0] == "a" else 2) for group in COUNTS}
    )


def test_a_single_corpus_is_balanced_already():
    corpus = Corpus("a", tuple(Utterance(Path(f"{i}"), "calm") for i in range(5)), EMOTIONS)
    for balance in ("corpus", "emotion", "corpus,emotion"):
        np.testing.assert_allclose(expected_draws(corpus, balance), 1.0)


@pytest.mark.parametrize("balance", ["", "speaker", "emotion,corpus"])
def test_another_balance_is_refused(balance: str):
    expected = f"balance: expected one of none, corpus, emotion, corpus,emotion, found '{balance}'"
    with pytest.raises(ConfigurationError, match=expected):
        Optimization(balance=balance)
    with pytest.raises(ConfigurationError, match=expected):
        pipeline.batches(extraction(), shuffle=True, balance=balance)


@pytest.mark.io_stack
@pytest.mark.parametrize("balance", ["corpus", "emotion", "corpus,emotion"])
def test_every_epoch_draws_each_utterance_as_often_as_expected(balance: str):
    extracted = extraction()
    expected = expected_draws(extracted.corpus, balance)
    batches = pipeline.batches(extracted, 16, shuffle=True, seed=3, balance=balance)
    # A bucket holds whole utterances, which moves each expectation a little.
    lengths = [len(each) for each in extracted.observations]
    buckets = Buckets.of(lengths, 16, expected)
    exact = (
        expected * (buckets.counts / np.bincount(buckets.bucket_of, expected))[buckets.bucket_of]
    )
    for _ in range(5):
        drawn = np.bincount(list(chain(*epoch_of(batches))), minlength=TOTAL)
        assert drawn.sum() == pytest.approx(TOTAL, abs=len(buckets.counts))
        assert np.all((np.floor(exact - 1e-6) <= drawn) & (drawn <= np.ceil(exact + 1e-6)))


@pytest.mark.parametrize(("balance", "fields"), [("corpus", ["corpus"]), ("emotion", ["emotion"])])
def test_every_epoch_is_balanced(balance: str, fields: list[str]):
    extracted = extraction()
    batches = pipeline.batches(extracted, 16, shuffle=True, seed=3, balance=balance)
    for _ in range(3):
        counts = by_group(extracted.corpus, list(chain(*epoch_of(batches))), *fields)
        assert len(counts) > 1
        assert max(counts.values()) - min(counts.values()) <= 0.1 * TOTAL


def test_epochs_differ_repeat_with_the_seed_and_resume():
    epoch = tf.Variable(0, dtype=tf.int64)
    options: dict[str, Any] = {"shuffle": True, "balance": "corpus,emotion"}
    batches = pipeline.batches(extraction(), 16, seed=3, epoch=epoch, **options)
    first, second, third = (epoch_of(batches) for _ in range(3))
    assert first != second != third
    assert set(chain(*first)) != set(chain(*second))  # other draws, not only another order

    epoch.assign(1)
    assert [epoch_of(batches), epoch_of(batches)] == [second, third]
    assert epoch_of(pipeline.batches(extraction(), 16, seed=3, **options)) == first
    assert epoch_of(pipeline.batches(extraction(), 16, seed=4, **options)) != first


@pytest.mark.parametrize("balance", ["none", "corpus"])
def test_an_epoch_draws_no_more_than_it_may_and_others_the_next_time(balance: str):
    extracted = extraction()
    options: dict[str, Any] = {"shuffle": True, "balance": balance}
    batches = pipeline.batches(extracted, 16, epoch_draws=60, **options)

    epochs = [list(chain(*epoch_of(batches))) for _ in range(12)]

    for drawn in epochs:
        assert len(drawn) == pytest.approx(60, abs=8)  # a bucket holds whole utterances
        if balance == "none":
            assert len(set(drawn)) == len(drawn)
        else:
            corpora = by_group(extracted.corpus, drawn, "corpus")
            assert abs(corpora["a",] - corpora["b",]) <= 8
    assert epochs[0] != epochs[1]
    assert len(set(chain(*epochs))) > 0.9 * TOTAL
    whole = epoch_of(pipeline.batches(extracted, 16, **options))
    assert epoch_of(pipeline.batches(extracted, 16, epoch_draws=TOTAL, **options)) == whole
    with pytest.raises(ConfigurationError, match="epoch_draws: expected at least 1, or none"):
        Optimization(epoch_draws=0)


def test_batches_are_as_many_as_promised_and_padded_as_little_as_ever():
    batches = pipeline.batches(extraction(), 16, shuffle=True, balance="corpus")
    shapes = [inputs["instants"].numpy() for inputs, _ in batches]
    assert len(shapes) == int(batches.cardinality())
    assert all(len(instants) <= 16 for instants in shapes)
    assert all(instants.max() <= max(2, 1.5 * instants.min()) for instants in shapes)


def test_draws_of_one_utterance_are_spread_over_the_batches():
    counts = {"a": 2, "b": 198}
    utterances = [
        Utterance(Path(f"{corpus}{i}"), "calm", corpus=corpus)
        for corpus, count in counts.items()
        for i in range(count)
    ]
    extracted = Extraction(
        Corpus("a+b", tuple(utterances), EMOTIONS),
        [np.full((4, 2), i, np.float32) for i in range(200)],
        np.zeros(200),
        (),
        (),
    )
    batches = epoch_of(pipeline.batches(extracted, 20, shuffle=True, balance="corpus"))
    assert list(chain(*batches)).count(0) == 50
    assert sum(0 in batch for batch in batches) == len(batches) == 10


def test_a_training_is_balanced_by_its_preset(
    tiny_run: TrainingRun,
    eagerly: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    asked: list[str] = []

    def batches(*given: Any, **options: Any) -> tf.data.Dataset:
        asked.append(options.get("balance", "none"))
        return made(*given, **options)

    made = pipeline.batches
    monkeypatch.setattr(pipeline, "batches", batches)
    preset = tiny_run.preset.with_settings({"balance": "corpus,emotion", "epochs": 1})

    train(dataclasses.replace(tiny_run, preset=preset), tmp_path / "run")

    # Standardization and training; validation, calibration and familiarity.
    assert asked == [*["corpus,emotion"] * 2, *["none"] * 3]
    assert "each 1 to 1 times, balanced by" in capsys.readouterr().err
