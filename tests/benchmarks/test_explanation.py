"""`benchmarks.explanation` replaces what surprised a model by what it expected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.explanation import __main__ as explanation
from benchmarks.explanation import curves, measurement
from benchmarks.explanation.curves import SHARES, VERSIONS, Version
from ser_keras import evaluate
from ser_keras.evaluation import results
from ser_keras.features.columns import join
from ser_keras.model import files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.recognition.replay import Replay
from ser_keras.training.run import read_run

SHAPE: dict[str, Any] = {
    "kind": "log-mel",
    "statistics": (),
    "sample_rate": 8000,
    "window": 0.5,
    "hop": 0.25,
    "fft_size": 512,
    "frame_hop": 250,
    "mel_bands": 16,
    "range_db": 60.0,
    "trailing_silence": 0.2,
    "recognition_units": 8,
    "generation_units": 8,
    "classification_units": 8,
    "latent_size": 4,
}


@pytest.fixture(scope="module")
def replay() -> Replay:
    """An untrained model of patches that carries what it sampled over."""
    model = VRNN.from_preset("ravdess", ("happy", "sad"), seed=0, carry_over=True, **SHAPE)
    patches = np.random.default_rng(0).normal(-40, 20, (2, 5, *model.features.observation_shape))
    model.adapt([patches.astype(np.float32)])
    for weight in model.cell.class_logits.trainable_weights:
        weight.assign(weight * 20.0)  # so that a difference shows
    return Replay(model)


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 0.1, 12000)
    return (noise * np.sin(np.arange(12000) / 500)).astype(np.float32)


def test_nothing_deleted_and_everything_inserted_is_the_recording(
    replay: Replay, samples: np.ndarray
):
    found = dict(zip(VERSIONS, curves.answers(replay, samples, seed=0), strict=True))
    own = Recognizer(replay.model).recognize_samples(samples, attention=False)["probabilities"]
    for unit in curves.UNITS:
        for order in curves.ORDERS:
            as_it_is = found[Version("deletion", unit, order, 0.0)]
            np.testing.assert_allclose(as_it_is, list(own.values()), atol=1e-5)
    alone = [found[Version("insertion", "cells", order, 0.0)] for order in curves.ORDERS]
    np.testing.assert_array_equal(alone[0], alone[1])
    assert not np.allclose(alone[0], found[Version("insertion", "cells", "energy", 0.5)])


def test_what_goes_first_is_the_most_surprising_the_loudest_or_any(
    replay: Replay, samples: np.ndarray
):
    spec, observed = replay.model.features, replay.read(samples)
    columns = join(spec, len(observed.standardized), len(samples) / spec.sample_rate)
    values = curves.scores(replay, observed, columns, seed=0)
    later = columns.instant >= 1
    for order in curves.ORDERS:
        scored = values["cells", order]
        tenth = curves.replaced(Version("deletion", "cells", order, 0.1), values, columns)
        assert not tenth[~later].any()  # of the first window, nothing was predicted
        assert tenth[later].mean() == pytest.approx(0.1, abs=0.02)
        kept = np.broadcast_to(later[:, np.newaxis], tenth.shape) & ~tenth
        assert scored[tenth].min() >= scored[kept].max()
        inserted = curves.replaced(Version("insertion", "cells", order, 0.1), values, columns)
        np.testing.assert_array_equal(inserted, kept)
        whole = curves.replaced(Version("deletion", "instants", order, 0.3), values, columns)
        for instant in np.unique(columns.instant):
            assert len(np.unique(whole[columns.instant == instant])) == 1
    loudest = np.unravel_index(values["cells", "energy"].argmax(), values["cells", "energy"].shape)
    came = columns.of(observed.standardized.reshape(-1, *spec.observation_shape))
    mean, scale = (
        replay.model.standardization.mean.numpy(),
        replay.model.standardization.scale.numpy(),
    )
    level = came * scale + mean + observed.loudest[columns.instant][:, np.newaxis]
    assert level[loudest] == level.max()


def test_the_nearest_share_is_chosen_and_ties_stay_together():
    values = np.array([[3.0, 3.0, 3.0, 1.0, 1.0, 0.0]])
    among = np.array([[True] * 5 + [False]])
    chosen = [curves.highest(values, among, share).sum() for share in (0.0, 0.2, 0.4, 0.8, 1.0)]
    assert chosen == [0, 0, 3, 5, 5]


def test_a_run_is_measured_and_a_killed_measurement_resumes(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    words = [str(trained_run), "--every", "4", "--out", str(out)]
    assert explanation.main(words) == 0
    captured = capsys.readouterr()
    assert captured.out == (out / "explanation.md").read_text()
    assert (out / "explanation.png").stat().st_size > 10_000
    found = json.loads((out / "explanation.json").read_text())
    run = read_run(trained_run)
    test = results.test_subset(run, trained_run)[::4]
    assert found["recordings"] == len(test)
    expected = evaluate(files.load(trained_run), test)
    for way, share in (("deletion", 0.0),):
        point = found["curves"][way]["instants"]["energy"][SHARES.index(share)]
        assert point["accuracy"]["value"] == pytest.approx(expected.weighted_accuracy)
        assert point["change"]["value"] == 0.0
        assert point["same_answer"]["value"] == 1.0

    kept = out / measurement.RECORDINGS
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:-1]) + lines[-1][:20])  # killed while it wrote
    assert explanation.main(words) == 0
    assert capsys.readouterr().err.count(" of ") == 1
    assert json.loads((out / "explanation.json").read_text())["curves"] == found["curves"]
    assert kept.read_text() == "".join(lines)

    kept.write_text("{}\n")
    assert explanation.main(words) == 1
    assert "expected recordings of this model" in capsys.readouterr().err
