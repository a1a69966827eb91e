"""The whole loop on a small part of real speech, as a user would run it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras import corpora
from ser_keras.commands import main as cli
from ser_keras.sound import decoding

pytestmark = pytest.mark.real

EMOTIONS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
ACTORS = ("01", "02", "05", "06")  # of two of the fixed groups


@pytest.fixture(scope="module")
def part(ravdess: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of what four actors say, under the names of the release."""
    folder = tmp_path_factory.mktemp("RAVDESS")
    chosen = [
        path
        for actor in ACTORS
        for path in sorted((ravdess / f"Actor_{actor}").glob("03-01-*-01-??-01-*"))
        + sorted((ravdess / f"Actor_{actor}").glob("03-01-*-02-??-01-*"))
    ]
    if len(chosen) < 100:
        pytest.skip(f"needs actors {', '.join(ACTORS)} of RAVDESS in {ravdess}")
    for path in chosen:
        (folder / path.parent.name).mkdir(exist_ok=True)
        (folder / path.parent.name / path.name).symlink_to(path.resolve())
    return folder


@pytest.fixture(scope="module")
def run(part: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `train` leaves of a small model on two actors, the other two left out."""
    out = tmp_path_factory.mktemp("run")
    settings = {
        "recognition_units": 64,
        "generation_units": 64,
        "classification_units": 64,
        "latent_size": 10,
        "batch_size": 16,
        "epochs": 30,
    }
    words = [
        "train", "--corpus", "ravdess", "--data", part, "--split", "speaker", "--fold", 1,
        "--out", out,
        *(word for key, value in settings.items() for word in ("--set", f"{key}={value}")),
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_KERAS_CACHE", str(out / "cache"))
        assert cli.main([str(word) for word in words]) == 0
    return out


def predicted(words: list[Any], capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert cli.main(["predict", *(str(word) for word in words)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_training_learns(run: Path):
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert float(rows[-1]["loss"]) < 0.9 * float(rows[0]["loss"])
    assert float(rows[-1]["accuracy"]) > 0.3  # of the training part; chance is 0.13
    for row in rows:
        assert np.isfinite([float(value) for value in row.values()]).all()
        assert 0 < float(row["sampled_fraction_after_first"]) < 1


def test_nobody_is_heard_in_two_parts(run: Path):
    with (run / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    speakers = {
        part: {row["speaker"] for row in rows if row["part"] == part}
        for part in ("train", "validation", "test")
    }
    assert speakers["train"] | speakers["validation"] == {"01", "02"}
    assert not speakers["train"] & speakers["validation"]
    assert speakers["test"] == {"05", "06"}


def test_evaluation_is_of_everything_left_out(run: Path, part: Path, tmp_path: Path):
    assert cli.main(["evaluate", str(run), "--out", str(tmp_path)]) == 0
    numbers = json.loads((tmp_path / "evaluation.json").read_text())
    test = [one for one in corpora.load("ravdess", part) if one.speaker in ("05", "06")]
    assert numbers["n_test"] + numbers["n_skipped_short"] == len(test)
    assert numbers["labels"] == EMOTIONS
    assert (numbers["split"], numbers["corpus"]) == ("speaker", "ravdess")
    counts = [sum(one.emotion == emotion for one in test) for emotion in EMOTIONS]
    assert np.sum(numbers["confusion_matrix"], axis=1).tolist() == counts
    sampled = numbers["sampled_fraction"]
    assert 0.2 < sampled["after_first"] < sampled["with_first"] < 1.0
    similarity = np.array(numbers["attention_similarity"])
    np.testing.assert_allclose(np.diag(similarity), 1.0, rtol=1e-5)
    np.testing.assert_allclose(similarity, similarity.T, rtol=1e-5)
    assert ((similarity > 0) & (similarity < 1 + 1e-5)).all()
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_recordings_are_predicted_instant_by_instant(
    run: Path, part: Path, capsys: pytest.CaptureFixture[str]
):
    files = sorted(part.rglob("*.flac"))[:3] or sorted(part.rglob("*.wav"))[:3]
    for line, path in zip(predicted(["--model", run, *files], capsys), files, strict=True):
        duration = soundfile.info(path).duration
        assert line["duration"] == pytest.approx(duration, abs=1e-3)
        assert [instant["time"] for instant in line["instants"]] == [
            2.0 + number for number in range(int(duration - 2.0) + 1)
        ]
        assert list(line["probabilities"]) == EMOTIONS


def test_recordings_as_released_are_answered_like_resampled_ones(
    run: Path, ravdess: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """48 kHz WAV, some stereo and some with chunks that only libsndfile reads.

    The resampled ones were rounded to 16 bits. In the quiet of a recording that moves a mean MFCC
    by up to 7, and what the attention lets through with it, so what is compared is rounded too.
    """
    released = sorted((ravdess.parent / "ravdess-original").glob("Actor_*/*.wav"))
    pairs = [
        (path, ravdess / path.parent.name / f"{path.stem}.flac")
        for path in released
        if (ravdess / path.parent.name / f"{path.stem}.flac").exists()
    ]
    if not pairs:
        pytest.skip(f"needs recordings as released in {ravdess.parent / 'ravdess-original'}")
    assert {soundfile.info(path).samplerate for path, _ in pairs} == {48_000}
    rounded = []
    for path, other in pairs:
        samples, resampled = decoding.load(path, 22050), decoding.load(other, 22050)
        assert abs(len(samples) - len(resampled)) <= 1
        common = min(len(samples), len(resampled))
        np.testing.assert_allclose(samples[:common], resampled[:common], atol=0.51 / 32768)
        rounded.append(tmp_path / f"{path.stem}.wav")
        soundfile.write(rounded[-1], np.round(samples * 32768).astype(np.int16), 22050)
    as_released = predicted(["--model", run, *(path for path, _ in pairs)], capsys)
    resampled_by_us = predicted(["--model", run, *rounded], capsys)
    resampled_by_them = predicted(["--model", run, *(path for _, path in pairs)], capsys)
    for one, ours, theirs in zip(as_released, resampled_by_us, resampled_by_them, strict=True):
        assert len(one["instants"]) == len(ours["instants"]) == len(theirs["instants"])
        assert one["emotion"] == ours["emotion"] == theirs["emotion"]
        assert ours["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-5)
