"""The benchmark of edge devices: its programs run, and its numbers are those of other ways."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.edge import contenders, endless, measurement, table
from benchmarks.edge.__main__ import _decoded, main
from benchmarks.edge.sounds import Sounds
from ser_keras import export
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import ConfigurationError
from ser_keras.evaluation import evaluate as evaluation
from ser_keras.features.spec import FeatureSpec
from ser_keras.model import files as model_files
from ser_keras.sound import decoding
from ser_keras.training.run import read_run, split_corpus

SOUNDS = [np.arange(5, dtype=np.float32), np.zeros(0, np.float32), np.ones(3, np.float32)]


def test_recordings_are_read_as_written(tmp_path: Path):
    sounds = Sounds.write(tmp_path / "all.f32", 4, iter(SOUNDS))
    assert sounds == Sounds.open(tmp_path / "all.f32")
    assert sounds.seconds == 2.0
    for found, expected in zip(sounds, SOUNDS, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_parts_of_a_recording_are_decoded_alone(tmp_path: Path):
    samples = np.linspace(-0.5, 0.5, 4000, dtype=np.float32)
    soundfile.write(tmp_path / "long.wav", samples, 1000, subtype="FLOAT")
    parts = [Utterance(tmp_path / "long.wav", "happy", start=at, end=at + 1.0) for at in (0.0, 2.5)]
    first, second = _decoded(Corpus("own", tuple(parts), ("happy",)), 1000, tmp_path)
    np.testing.assert_array_equal(first, samples[:1000])
    np.testing.assert_array_equal(second, samples[2500:3500])


def test_pieces_complete_one_instant_each():
    pieces = list(contenders._chunks(np.arange(23), 8, 5))
    assert pieces.pop() is None
    assert [len(piece) for piece in pieces if piece is not None] == [8, 5, 5, 5]
    assert [len(p) for p in contenders._chunks(np.arange(3), 8, 5) if p is not None] == [3]


def test_a_run_is_measured_at_every_precision(
    trained_run: Path, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = [str(trained_run), "--corpus", "manifest", "--data", str(manifest)]
    assert main([*words, "--without-opensmile", "--out", str(tmp_path)]) == 0
    assert "| run | int8 |" in capsys.readouterr().out
    results = json.loads((tmp_path / "edge.json").read_text("utf-8"))
    rows = results["models"]["run"]
    assert list(rows) == ["keras", "float32", "float16", "int8"]
    for precision, row in rows.items():
        assert row["agreement"]["utterances"] == results["utterances"] == 32, precision
        assert 0 < row["latency"]["median"] <= row["latency"]["p99"]
        assert 0 < row["share_of_real_time"] < row["real_time_factor"] * 10
        assert row["peak_memory"] > 20
    assert rows["keras"]["agreement"]["largest"] < 1e-5
    assert rows["float32"]["agreement"]["largest"] < 1e-4
    assert rows["float16"]["agreement"]["largest"] < 1e-2
    # Matrices this small stay in 32 bits.
    assert 0 < rows["int8"]["bytes"] <= rows["float32"]["bytes"]
    assert rows["float32"]["peak_memory"] < rows["keras"]["peak_memory"]
    test = split_corpus(read_run(trained_run))["test"]
    expected = evaluation.evaluate(model_files.load(trained_run), test)
    assert rows["keras"]["accuracy"]["n_test"] == expected.n_test
    assert rows["keras"]["accuracy"]["weighted_accuracy"] == pytest.approx(
        expected.weighted_accuracy
    )


def test_a_phrase_again_and_again(trained_run: Path, manifest: Path, tmp_path: Path):
    model = model_files.load(trained_run)
    file = export.tflite(model, tmp_path / "model.tflite")
    contender = endless.Contender("tflite", str(file))
    utterance = split_corpus(read_run(trained_run))["test"][0]
    sound = decoding.load(utterance.path, contender.rate)
    phrase = sound[: len(sound) // contender.hop * contender.hop]
    found = endless.stream(contender, phrase, hours=0.05)
    assert found["hours"] == pytest.approx(0.05, abs=len(phrase) / contender.rate / 3600)
    assert found["answers"]["instants"] == pytest.approx(360, abs=10)
    assert found["answers"]["finite"]
    assert found["answers"]["as_at_first"]
    assert found["memory"]["growth"] < 1.0
    assert "all finite" in endless.summary("tflite", found)


def test_agreement_and_accuracy_are_counted():
    expected = np.array([[0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.9, 0.1]])
    found = expected.copy()
    found[1] = [0.55, 0.45]
    agreed = measurement.agreement(found, expected)
    assert agreed["largest"] == pytest.approx(0.15)
    assert agreed["beyond"] == {"0.0001": 1, "0.01": 1}
    assert (agreed["same_emotion"], agreed["utterances"]) == (0.75, 4)
    labels, tested = np.array([0, 1, 1, 1]), np.array([False, True, True, True])
    right = measurement.accuracy(found, labels, tested)
    assert right == {"weighted_accuracy": pytest.approx(1 / 3), "n_test": 3}
    nobody = measurement.accuracy(found, labels, np.zeros(4, bool))
    assert nobody == {"weighted_accuracy": None, "n_test": 0}


def row(real_time_factor: float) -> dict[str, Any]:
    arrays = {
        "latencies": np.array([0.001, 0.002, 0.009]),
        "hop_cpu": np.array([0.001, 0.0015, 0.002]),
        "cpu_seconds": np.array(real_time_factor * 2.0),
        "peak_memory": np.array(80.0),
    }
    sounds = Sounds(Path("all.f32"), 4, (5, 3))
    return {
        "bytes": 10_400_000,
        **measurement.cost(arrays, FeatureSpec(hop=0.5), sounds),
        "agreement": {"largest": 1e-6, "p99": 1e-7, "same_emotion": 1.0},
        "accuracy": {"weighted_accuracy": 0.65},
    }


def test_the_table_and_the_line_for_the_readme():
    results = {
        "corpus": "own",
        "utterances": 3,
        "seconds": 120.0,
        "models": {"ravdess": {"float32": row(0.002), "int8": row(0.001)}},
        "egemaps": {"real_time_factor": 0.02, "peak_memory": 99.0},
    }
    shown = table.markdown(results)
    cells = "| ravdess | float32 | 10.40 | 2.0 (8.9) | 1.50 | 0.30 | 80 | 1e-06 (1e-07) |"
    assert f"{cells} 100.0 | 65.0 |" in shown
    assert "2.00 % of real time, 99 MB" in shown
    assert table.summary(results).endswith("0.10 × openSMILE's eGeMAPS on the same recordings.")


def test_what_cannot_be_measured_is_told_without_a_traceback(
    trained_run: Path, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--corpus", "manifest", "--data", str(manifest), "--out", str(tmp_path)]
    assert main(["nowhere", *words]) == 1
    assert (
        "preset: expected one of ravdess, iemocap, convolutional, tiny, open, found 'nowhere'"
        in capsys.readouterr().err
    )
    words[1] = "synthetic"
    assert main([str(trained_run), *words]) == 1
    assert capsys.readouterr().err.startswith("benchmarks.edge: ")


def test_opensmile_is_asked_for_where_it_is_missing(tmp_path: Path):
    sounds = Sounds.write(tmp_path / "all.f32", 16_000, [np.zeros(48_000, np.float32)])
    if find_spec("opensmile") is None:
        with pytest.raises(ConfigurationError, match="make benchmarks-venv"):
            measurement.run_apart("egemaps", "-", sounds)
        return
    found = measurement.peer_cost(measurement.run_apart("egemaps", "-", sounds), sounds)
    assert found["real_time_factor"] > 0
    assert found["latency_of_a_recording"]["median"] > 0
