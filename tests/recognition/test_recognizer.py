"""Answers for recordings, held to the model's own predict on librosa's features."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import ArrayLike

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.features import reference
from ser_keras.model import files as model_files
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.sound import decoding

LINE_KEYS = ["file", "emotion", "probabilities", "duration", "padded", "silent"]
LINE_KEYS += ["familiarity", "instants"]
INSTANT_KEYS = ["time", "emotion", "probabilities", "sampled_fraction"]

WriteSound = Callable[..., Path]


@pytest.fixture(scope="module")
def model(trained_run: Path) -> VRNN:
    return model_files.load(trained_run)


@pytest.fixture(scope="module")
def recognizer(model: VRNN) -> Recognizer:
    return Recognizer(model)


@pytest.fixture
def sound(tmp_path: Path) -> WriteSound:
    """Write so many seconds of noise with a slowly moving level."""

    def write(seconds: float, rate: int = 8000, name: str = "sound.wav") -> Path:
        count = round(seconds * rate)
        level = 0.2 + 0.1 * np.sin(np.arange(count) / rate)
        noise = np.random.default_rng(count).normal(size=count) * level
        soundfile.write(tmp_path / name, noise, rate, subtype="PCM_16")
        return tmp_path / name

    return write


def test_answers_are_those_of_the_model_on_librosas_features(
    recognizer: Recognizer, model: VRNN, synthetic_corpus: Corpus
):
    for utterance in synthetic_corpus[:3]:
        line = recognizer.recognize(utterance.path)
        samples = decoding.load(utterance.path, 8000)
        observations = reference.extract(samples, model.features)
        expected = model.predict(observations[np.newaxis], verbose=0)
        assert line["file"] == str(utterance.path)
        np.testing.assert_allclose(
            list(line["probabilities"].values()), expected["probabilities"][0], rtol=1e-4
        )
        assert line["emotion"] == model.classes[int(expected["probabilities"][0].argmax())]
        assert line["duration"] == pytest.approx(len(samples) / 8000)
        assert line["padded"] is False
        assert len(line["instants"]) == len(observations)
        for number, instant in enumerate(line["instants"]):
            timeline = expected["timeline"][0, number]
            np.testing.assert_allclose(list(instant["probabilities"].values()), timeline, rtol=1e-4)
            assert instant["emotion"] == model.classes[int(timeline.argmax())]
            saliency = expected["saliency"][0, number]
            np.testing.assert_allclose(instant["saliency"], saliency, rtol=1e-3, atol=1e-4)
            assert instant["attention"] == expected["attention"][0, number].tolist()


def test_a_segment_of_a_recording_is_answered_alone(recognizer: Recognizer, sound: WriteSound):
    path = sound(3.0)
    line = recognizer.recognize(path, start=0.5, end=2.0)
    assert line.pop("file") == str(path)
    samples = decoding.load(path, 8000)
    assert line == recognizer.recognize_samples(samples[4000:16_000])
    assert line == recognizer.recognize(samples, 8000, start=0.5, end=2.0)
    with pytest.raises(AudioError, match="start: expected 0 to"):
        recognizer.recognize(samples, 8000, start=3.5)


def test_an_answer_has_the_keys_of_the_contract(
    recognizer: Recognizer, model: VRNN, sound: WriteSound
):
    path = sound(2.0)
    line = json.loads(json.dumps(recognizer.recognize(path, attention=False)))
    assert list(line) == LINE_KEYS
    assert [list(instant) for instant in line["instants"]] == [INSTANT_KEYS] * 4
    with_attention = json.loads(json.dumps(recognizer.recognize(path)))
    for instant, more in zip(line["instants"], with_attention["instants"], strict=True):
        assert more == {**instant, "saliency": more["saliency"], "attention": more["attention"]}
    line = with_attention
    assert list(line["probabilities"]) == list(model.classes)
    assert sum(line["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    for instant in line["instants"]:
        assert list(instant["probabilities"]) == list(model.classes)
        assert len(instant["saliency"]) == len(instant["attention"]) == 13
        assert {*instant["attention"]} <= {0, 1}
        assert all(isinstance(weight, int) for weight in instant["attention"])
        share = sum(instant["attention"]) / 13
        assert instant["sampled_fraction"] == pytest.approx(share, rel=1e-6)
        # Eq. 3: sampled where the saliency reaches its mean; all of it at first.
        saliency = np.array(instant["saliency"])
        if instant is not line["instants"][0]:
            clear = np.abs(saliency - saliency.mean()) > 1e-5
            sampled = np.array(instant["attention"]) == 1
            np.testing.assert_array_equal(sampled[clear], (saliency > saliency.mean())[clear])
    assert line["instants"][0]["sampled_fraction"] == 1.0
    assert line["probabilities"] == line["instants"][-1]["probabilities"]


@pytest.mark.parametrize(
    ("seconds", "times"),
    [(0.5, [0.5]), (0.99, [0.5]), (1.0, [0.5, 1.0]), (2.3, [0.5, 1.0, 1.5, 2.0])],
)
def test_an_instants_time_is_where_its_window_ends(
    seconds: float, times: list[float], recognizer: Recognizer, sound: WriteSound
):
    line = recognizer.recognize(sound(seconds))
    assert [instant["time"] for instant in line["instants"]] == pytest.approx(times)
    assert line["padded"] is False


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.499])
def test_a_short_recording_is_padded_with_silence_and_flagged(
    seconds: float, recognizer: Recognizer, model: VRNN, sound: WriteSound
):
    path = sound(seconds)
    line = recognizer.recognize(path)
    assert line["padded"] is True
    assert line["duration"] == pytest.approx(seconds, abs=1e-3)
    assert [instant["time"] for instant in line["instants"]] == [0.5]
    samples, _ = soundfile.read(path, dtype="float32")
    padded = np.zeros(4000, np.float32)
    padded[: len(samples)] = samples
    expected = model.predict(reference.extract(padded, model.features)[np.newaxis], verbose=0)
    np.testing.assert_allclose(
        list(line["probabilities"].values()), expected["probabilities"][0], rtol=1e-4
    )


def test_a_recording_shorter_than_a_window_is_flagged_even_if_silence_is_appended(
    tiny_preset: Preset, sound: WriteSound
):
    patient = VRNN(("a", "b"), tiny_preset.with_settings({"trailing_silence": 0.4}), seed=1)
    lines = [Recognizer(patient).recognize(sound(seconds)) for seconds in (0.05, 0.3, 0.499, 0.5)]
    assert [line["padded"] for line in lines] == [True, True, True, False]
    assert [len(line["instants"]) for line in lines] == [1, 1, 1, 1]


def test_any_rate_and_channels_are_the_same_recording(
    recognizer: Recognizer, synthetic_corpus: Corpus, tmp_path: Path
):
    samples, rate = soundfile.read(synthetic_corpus[0].path, dtype="float32")
    soundfile.write(tmp_path / "a.flac", np.stack([samples, samples], axis=1), rate)
    one = recognizer.recognize(synthetic_corpus[0].path)
    other = recognizer.recognize(tmp_path / "a.flac")
    assert other["probabilities"] == pytest.approx(one["probabilities"], rel=1e-3)


def test_twenty_minutes_are_answered_to_the_end(recognizer: Recognizer, sound: WriteSound):
    line = recognizer.recognize(sound(1200.0))
    assert line["duration"] == pytest.approx(1200.0)
    assert len(line["instants"]) == 2400
    assert line["instants"][-1]["time"] == pytest.approx(1200.0)
    assert line["probabilities"] == line["instants"][-1]["probabilities"]


def test_memory_does_not_grow_with_the_length_of_a_recording(tiny_preset: Preset, tmp_path: Path):
    """Twenty minutes at 48 kHz are 230 MB as floats, and 38 MB more at the model's rate."""
    path, rate, minutes = tmp_path / "long.wav", 48_000, 20
    minute = np.random.default_rng(0).normal(0, 0.1, 60 * rate)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        for number in range(minutes):
            file.write(minute / (1 + number % 3))
    # With windows so far apart that it is soon done.
    recognizer = Recognizer(VRNN(("a", "b"), tiny_preset.with_settings({"hop": 5.0}), seed=1))
    recognizer.recognize(path, end=60.0, attention=False)
    forget_peak_memory()
    before = peak_memory()
    line = recognizer.recognize(path, attention=False)
    assert line["duration"] == 60.0 * minutes
    assert len(line["instants"]) == 12 * minutes
    assert peak_memory() - before < 40e6


def forget_peak_memory() -> None:
    """Begin anew with the memory in use; the test is skipped where that is impossible."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # see proc(5)
    except OSError as error:
        pytest.skip(f"needs /proc to measure peaks of memory ({error})")


def peak_memory() -> int:
    """Return the most bytes that this process has had in use."""
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = re.findall(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return 1024 * int(kilobytes)


def test_silence_is_answered(recognizer: Recognizer, tmp_path: Path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 8000)
    line = recognizer.recognize(tmp_path / "silence.wav")
    assert line["silent"] is True
    assert np.isfinite(list(line["probabilities"].values())).all()
    assert len(line["instants"]) == 4


def test_sound_in_memory_is_answered_like_a_file(recognizer: Recognizer, sound: WriteSound):
    path = sound(1.7)
    from_file = recognizer.recognize(path)
    del from_file["file"]
    assert recognizer.recognize_samples(decoding.load(path, 8000)) == from_file
    assert recognizer.recognize(decoding.load(path, 8000), 8000) == from_file


@pytest.mark.parametrize("rate", [7350, 16_000, 44_100])
def test_sound_in_memory_of_any_rate_is_answered_like_a_file(
    recognizer: Recognizer, sound: WriteSound, rate: int
):
    path = sound(1.7, rate)
    samples, _ = soundfile.read(path, dtype="int16")
    expected = recognizer.recognize(path)
    found = recognizer.recognize(np.stack([samples, samples], axis=1), rate)
    assert found["duration"] == expected["duration"] == pytest.approx(1.7)
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)


def test_samples_need_a_rate_and_files_have_their_own(recognizer: Recognizer, sound: WriteSound):
    for rate in (None, np.nan, 8000.5, "8000", np.zeros(8000)):
        with pytest.raises(ConfigurationError, match="sample_rate: expected that of the samples"):
            recognizer.recognize(np.zeros(8000), rate)  # type: ignore[arg-type]
    assert recognizer.recognize(np.zeros(8000), 8000.0) == recognizer.recognize_samples(
        np.zeros(8000)
    )
    with pytest.raises(ConfigurationError, match="sample_rate: expected none beside a path"):
        recognizer.recognize(sound(1.0), 8000)
    with pytest.raises(AudioError, match="sample rate: expected 1000 to 768000 Hz, found 8 Hz"):
        recognizer.recognize(np.zeros(8000), 8)


def test_a_function_receives_saliency_and_attention_instead(
    recognizer: Recognizer, sound: WriteSound
):
    path, received = sound(1.7), []
    line = recognizer.recognize(path, attention=lambda *arrays: received.append(arrays))
    assert line == recognizer.recognize(path, attention=False)
    expected = recognizer.recognize(path)["instants"]
    for (saliency, attention), instant in zip(received, expected, strict=True):
        np.testing.assert_allclose(saliency, instant["saliency"], atol=1e-6)
        np.testing.assert_array_equal(attention, instant["attention"])


def test_any_samples_that_a_stream_takes_are_answered(recognizer: Recognizer):
    samples = np.random.default_rng(0).normal(size=8000).clip(-3, 3) / 4
    quantized = (samples * 2**15).astype(np.int16)
    expected = recognizer.recognize_samples(quantized / np.float32(2**15))
    for same in (
        quantized,
        np.stack([quantized, quantized], axis=1),
        quantized / 2.0**15,
        (quantized / 2.0**15).tolist(),
    ):
        found = recognizer.recognize_samples(same)
        assert found["probabilities"] == pytest.approx(expected["probabilities"], rel=1e-4)
        assert found["duration"] == 1.0


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0, np.float32), "sound in memory: expected sound, found no samples"),
        (np.zeros((0, 2), np.float32), "expected sound, found no samples"),
        ([], "expected sound, found no samples"),
        (np.array([0.0, np.nan], np.float32), "expected finite samples"),
        (np.array([0.0, -1e20], np.float32), "times full scale"),
        (np.zeros((2, 2, 2), np.float32), r"expected samples \[N\] or .*, found \(2, 2, 2\)"),
        (np.zeros((5, 0), np.float32), r"found \(5, 0\)"),
        (np.zeros(5, np.int64), "expected floats or int16, found int64"),
    ],
)
def test_samples_that_are_no_sound_are_refused(
    recognizer: Recognizer, samples: ArrayLike, message: str
):
    with pytest.raises(AudioError, match=message):
        recognizer.recognize_samples(samples)


def test_a_recording_that_cannot_be_used_is_an_error(recognizer: Recognizer, tmp_path: Path):
    with pytest.raises(AudioError, match=r"nowhere\.wav"):
        recognizer.recognize(tmp_path / "nowhere.wav")


def test_one_bad_file_among_many_costs_itself_alone(
    recognizer: Recognizer, sound: WriteSound, tmp_path: Path
):
    bad = {
        "empty.wav": b"",
        "text.wav": b"these are words, not sound",
        "header.wav": sound(1.0, name="whole.wav").read_bytes()[:30],
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    good = [sound(1.0 + number, name=f"good-{number}.wav") for number in range(2)]
    names = ["good-0.wav", *bad, "missing.wav", "good-1.wav"]
    lines = list(recognizer.recognize_files([tmp_path / name for name in [*names, "."]]))
    assert [Path(line["file"]).name for line in lines] == [*names, tmp_path.name]
    assert [line for line in lines if "error" not in line] == [
        recognizer.recognize(path) for path in good
    ]
    for line in lines[1:5] + lines[6:]:
        assert set(line) == {"file", "error"}
        assert line["error"]
        assert line["file"] not in line["error"]  # said once


def test_a_model_is_found_by_its_folder_and_its_file(
    recognizer: Recognizer, trained_run: Path, sound: WriteSound
):
    path = sound(1.0)
    expected = recognizer.recognize(path)
    assert Recognizer(trained_run).recognize(path) == expected
    assert Recognizer(str(trained_run / "model.keras")).recognize(path) == expected
    with pytest.raises(ConfigurationError, match="nowhere"):
        Recognizer("nowhere")
