"""`benchmarks.robustness` answers every recording of a test part as it is and changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.robustness import __main__ as robustness
from benchmarks.robustness import measurement
from benchmarks.robustness.changes import CHANGES, as_stored
from ser_keras import evaluate
from ser_keras.evaluation import results
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.sound import decoding
from ser_keras.training import run as training

RATE = 44100


@pytest.fixture
def sound() -> np.ndarray:
    """A second of a tone between two seconds of silence each."""
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    return 0.5 * np.concatenate([np.zeros(2 * RATE), tone, np.zeros(2 * RATE)])


def test_changes_do_what_they_say(sound: np.ndarray):
    changed = {
        name: decoding.decode(as_stored(*c.apply(sound, RATE))) for name, c in CHANGES.items()
    }
    loudness = {name: np.abs(samples).max() for name, (samples, _) in changed.items()}
    seconds = {name: len(samples) / rate for name, (samples, rate) in changed.items()}
    rates = {name: rate for name, (_, rate) in changed.items()}
    assert loudness["half"] == pytest.approx(0.25, abs=1e-3)
    assert loudness["tenth"] == pytest.approx(0.05, abs=1e-3)
    assert (rates["16-khz"], rates["8-khz"], rates["half"]) == (16000, 8000, RATE)
    assert seconds["8-khz"] == pytest.approx(5, abs=1e-3)
    for codec, lasts in (("opus", 5.0), ("mp3", 5.0)):
        assert seconds[codec] == pytest.approx(lasts, abs=0.1)
        assert loudness[codec] == pytest.approx(0.5, rel=0.1)
        assert rates[codec] < RATE
    # A frame of librosa's is 2048 samples: silence is known no better.
    assert seconds["cut"] == pytest.approx(1.4, abs=0.1)
    assert seconds["pauses"] == pytest.approx(7)
    later, _ = changed["later-0.256"]
    assert seconds["later-0.256"] == pytest.approx(5.256, abs=1e-3)
    assert np.flatnonzero(later)[0] / RATE == pytest.approx(2.256, abs=1e-3)
    noise = changed["noise"][0][: 2 * RATE]
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(0.1 * np.sqrt(np.mean(sound**2)), rel=0.05)


def test_a_run_is_measured_on_its_own_test_part(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert robustness.main([str(trained_run), "--out", str(out)]) == 0
    assert capsys.readouterr().out == (out / "robustness.md").read_text()
    found = json.loads((out / "robustness.json").read_text())
    test = results.test_subset(training.read_run(trained_run), trained_run)
    expected = evaluate(model_files.load(trained_run), test)
    assert found["recordings"] == len(test)
    as_it_is = found["changes"]["as-it-is"]
    assert as_it_is["weighted_accuracy"]["mean"] == pytest.approx(expected.weighted_accuracy)
    assert as_it_is["unweighted_accuracy"]["mean"] == pytest.approx(expected.unweighted_accuracy)
    assert as_it_is["answered_otherwise"] == 0
    assert set(found["changes"]) == {*CHANGES, "beginnings"}


def test_some_changes_alone_are_measured_of_other_weights(trained_run: Path, tmp_path: Path):
    weights = tmp_path / "other.keras"
    trained = model_files.load(trained_run)
    # Its words for two emotions are synonyms, as `open` has them.
    words = {"angry": "anger", "fearful": "fear"}
    model = VRNN([words.get(each, each) for each in trained.classes], trained.preset)
    model.set_weights(trained.get_weights())
    # Whatever is heard, the answer is the first class.
    bias = model.cell.class_logits.bias
    bias.assign(np.eye(len(model.classes))[0] * 1e6)
    model.save(weights)
    asked = [str(trained_run), "--changes", "half", "--model", str(weights)]
    assert robustness.main([*asked, "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert list(found["changes"]) == ["as-it-is", "half"]
    chance = pytest.approx(1 / len(model.classes))
    assert found["changes"]["half"]["unweighted_accuracy"]["mean"] == chance
    assert found["model"] == str(weights)


def test_corpora_that_are_joined_are_told_apart():
    labels, corpora = np.array([0, 1, 0, 1]), np.array(["a", "a", "b", "b"])
    predicted = {"as-it-is": labels, "half": np.array([0, 0, 0, 1])}
    one = measurement.Predictions(2, labels, corpora, predicted)
    found = measurement._summarize("half", [one])
    assert {name: each["mean"] for name, each in found["by_corpus"].items()} == {"a": 0.5, "b": 1.0}
    changes = {name: {"title": name, **measurement._summarize(name, [one])} for name in predicted}
    told = {"corpus": "a+b", "preset": {"name": "p"}, "model": None, "split": "speaker"}
    table = measurement.markdown({**told, "splits": [0], "recordings": 4, "changes": changes})
    assert "| half | 75.0 | -25.0 | 75.0 | 25.0 | 50.0 | 100.0 |" in table


def test_the_mean_of_beginnings_is_of_logits():
    """Three beginnings find the second class likelier by a little, one the first by much."""
    logits = dict.fromkeys(CHANGES, np.log([[0.4, 0.6]])) | {"later-0.256": np.log([[0.9, 0.1]])}
    predicted = measurement.predict(logits)
    assert predicted["as-it-is"].tolist() == [1]
    assert predicted["beginnings"].tolist() == [0]


def test_runs_of_several_presets_are_refused(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    other = tmp_path / "other"
    shutil.copytree(trained_run, other)
    configuration = json.loads((other / "config.json").read_text())
    configuration["run"]["preset"]["architecture"]["latent_size"] += 1
    (other / "config.json").write_text(json.dumps(configuration))
    assert robustness.main([str(trained_run), str(other), "--out", str(tmp_path / "out")]) == 1
    message = f"{other}: expected the corpus and the preset's settings of {trained_run}"
    assert message in capsys.readouterr().err
