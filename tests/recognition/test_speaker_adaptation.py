"""Answers relative to one person's usual ones: by hand, through a saved model, on real speech."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import soundfile

from ser_keras.commands import main as cli
from ser_keras.corpora import Corpus
from ser_keras.corpora.speech_synthesis import SAMPLE_RATE as RATE
from ser_keras.errors import CorpusError
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition import speaker_adaptation
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.recognition.speaker_adaptation import (
    adapt_to_speaker,
    relative,
    usual_logits,
)

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 3, (6, 4))
PROBABILITIES = scipy.special.softmax(LOGITS, axis=1)


@pytest.fixture(scope="module")
def model(trained_run: Path) -> VRNN:
    model = model_files.load(trained_run)
    model.cell.temperature.assign(1.7)  # an adapted bias is added before logits are divided by it
    return model


@pytest.fixture(scope="module")
def recordings(synthetic_corpus: Corpus) -> list[Path]:
    return [utterance.path for utterance in synthetic_corpus if utterance.speaker == "01"]


def _probabilities(model: VRNN, paths: list[Path]) -> np.ndarray:
    lines = Recognizer(model).recognize_files(paths, attention=False)
    return np.array([[line["probabilities"][name] for name in model.classes] for line in lines])


def test_the_mean_logits_are_taken_off():
    """Whatever constant softmax has taken off the logits of each recording."""
    others = LOGITS[1:]

    found = relative(PROBABILITIES[0], usual_logits(PROBABILITIES[1:]))

    np.testing.assert_allclose(found, scipy.special.softmax(LOGITS[0] - others.mean(axis=0)))


def test_what_a_voice_adds_to_all_logits_changes_no_answer():
    voice = np.array([0.0, 5.0, -2.0, 1.0])
    colored = scipy.special.softmax(LOGITS + voice, axis=1)

    plain = relative(PROBABILITIES, usual_logits(PROBABILITIES))

    np.testing.assert_allclose(relative(colored, usual_logits(colored)), plain)


def test_a_class_that_was_never_thought_of_stays_finite():
    certain = np.array([[1.0, 0.0], [1.0, 0.0]], np.float32)

    assert np.isfinite(usual_logits(certain)).all()
    np.testing.assert_allclose(relative(certain, usual_logits(certain)), 0.5)


def test_an_adapted_model_answers_relative_to_the_recordings(model: VRNN, recordings: list[Path]):
    known, others = recordings[:6], recordings[6:10]
    before = model.get_weights()

    adapted = adapt_to_speaker(model, known)

    expected = relative(_probabilities(model, others), usual_logits(_probabilities(model, known)))
    np.testing.assert_allclose(_probabilities(adapted, others), expected, rtol=1e-4)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    changed = [
        weight.path
        for weight, other in zip(adapted.weights, before, strict=True)
        if not np.array_equal(weight, other)
    ]
    assert len(changed) == 1
    assert changed[0].endswith("class_logits/bias")


def test_what_cannot_be_used_is_named_and_left_out(
    model: VRNN, recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    broken, silent = tmp_path / "broken.wav", tmp_path / "silent.wav"
    broken.write_bytes(b"RIFF")
    soundfile.write(silent, np.zeros(2 * RATE), RATE)

    found = adapt_to_speaker(model, [broken, *recordings[:3], silent])

    expected = adapt_to_speaker(model, recordings[:3])
    # In other batches, whose sums some processors round otherwise.
    np.testing.assert_allclose(
        found.cell.class_logits.bias, expected.cell.class_logits.bias, rtol=0, atol=1e-6
    )
    told = capsys.readouterr().err
    assert f"speaker: skipped {broken}: " in told
    assert f"speaker: skipped {silent}: expected speech, found silence" in told
    with pytest.raises(CorpusError, match=r"speaker: expected at least 3 recordings .* found 2"):
        adapt_to_speaker(model, [*recordings[:2], broken])


def test_a_long_recording_is_cut_at_its_pauses(recordings: list[Path]):
    """Sentences of three seconds, half a second apart, in chunks that know nothing of them."""
    sentence = np.concatenate([soundfile.read(path)[0] for path in recordings])[: 3 * RATE]
    one = np.concatenate([sentence, np.zeros(RATE // 2)]).astype(np.float32)
    sound = np.concatenate([one] * 4)
    chunks = [(sound[begin : begin + 5000], RATE) for begin in range(0, len(sound), 5000)]

    found = [samples for samples, _ in speaker_adaptation._stretches(chunks)]

    cuts = np.cumsum([len(samples) for samples in found])
    assert len(cuts) == 4
    after = cuts[:3] / RATE - 3.5 * np.arange(3)
    assert ((after > 3.0) & (after < 3.5)).all()
    np.testing.assert_array_equal(np.concatenate(found), sound)


def test_the_end_of_a_long_recording_counts_if_it_is_as_long_as_a_stretch(recordings: list[Path]):
    sound = np.concatenate([soundfile.read(path)[0] for path in recordings]).astype(np.float32)
    whole = [len(samples) for samples, _ in speaker_adaptation._stretches([(sound, RATE)])]

    for seconds in (1.9, 2.1):
        shortened = sound[: sum(whole[:2]) + round(seconds * RATE)]
        found = [len(samples) for samples, _ in speaker_adaptation._stretches([(shortened, RATE)])]
        assert found == [*whole[:2], *[len(shortened) - sum(whole[:2])] * (seconds > 2)]

    assert list(speaker_adaptation._stretches([])) == []


def test_a_long_recording_counts_as_its_stretches(
    model: VRNN, recordings: list[Path], tmp_path: Path
):
    """Those that are silent, here the last two, do not count."""
    sound = np.concatenate([soundfile.read(path)[0] for path in recordings])[: 14 * RATE]
    long = tmp_path / "long.wav"
    soundfile.write(long, np.concatenate([sound, np.zeros(10 * RATE)]), RATE)
    read = soundfile.read(long, dtype="float32")[0]
    recognizer = Recognizer(model)
    stretches = speaker_adaptation._stretches([(read, RATE)])
    answers = [recognizer.recognize(samples, RATE) for samples, _ in stretches]
    spoken = [answer for answer in answers if not answer["silent"]]
    assert 2 < len(spoken) < len(answers)

    found = adapt_to_speaker(model, [long]).cell.class_logits.bias.numpy()

    usual = usual_logits(np.array([[*answer["probabilities"].values()] for answer in spoken]))
    expected = model.cell.class_logits.bias.numpy() - 1.7 * usual  # the temperature
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_one_side_of_a_call_is_a_person(model: VRNN, recordings: list[Path], tmp_path: Path):
    calls, sides = [], []
    for path, other in zip(recordings[:3], recordings[3:6], strict=True):
        size = min(len(soundfile.read(each)[0]) for each in (path, other))
        sound = np.stack([soundfile.read(each)[0][:size] for each in (path, other)], axis=1)
        calls.append(tmp_path / f"call-{path.name}")
        sides.append(tmp_path / f"side-{path.name}")
        soundfile.write(calls[-1], sound, RATE)
        soundfile.write(sides[-1], sound[:, 1], RATE)

    found = adapt_to_speaker(model, calls, channel=1)

    expected = adapt_to_speaker(model, sides).cell.class_logits.bias.numpy()
    np.testing.assert_allclose(found.cell.class_logits.bias, expected, atol=1e-4)


def test_the_command_leaves_a_model_that_predict_takes(
    trained_run: Path,
    synthetic_corpus: Corpus,
    recordings: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    folder, out = tmp_path / "ann", tmp_path / "models" / "ann.keras"
    folder.mkdir()
    for path in recordings[:5]:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "notes.txt").write_text("no sound")
    words = ["adapt", folder, recordings[5], "--model", trained_run, "--out", out]

    assert cli.main([str(word) for word in words]) == 0

    assert capsys.readouterr().out == f"{out}\n"
    record = json.loads(out.with_name("ann.keras.json").read_text(encoding="utf-8"))
    assert len(record["recordings"]) == 6
    assert record["model"] == str(trained_run)
    expected = adapt_to_speaker(model_files.load(trained_run), recordings[:6])
    capsys.readouterr()
    assert cli.main(["predict", "--model", str(out), "--json", str(recordings[7])]) == 0
    line = json.loads(capsys.readouterr().out)
    answer = Recognizer(expected).recognize(recordings[7])
    assert line["probabilities"] == pytest.approx(answer["probabilities"], rel=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "ann.h5"], "--out: expected a name with .keras, found"),
        (["--out", "ann.keras", "--channel", "each"], "--channel: expected one channel or mix"),
    ],
)
def test_the_command_refuses(words: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["adapt", "a.wav", *words]) == 1
    assert message in capsys.readouterr().err
