"""Answers relative to one person's usual ones: by hand, through a saved model, on real speech."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import soundfile

from ser_keras import corpora
from ser_keras.commands import main as cli
from ser_keras.corpora import Corpus, splits
from ser_keras.corpora.speech_synthesis import SAMPLE_RATE as RATE
from ser_keras.errors import CorpusError
from ser_keras.evaluation import adapted_speakers, report, results
from ser_keras.evaluation.evaluate import evaluate
from ser_keras.files import finite
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition import speaker_adaptation
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.recognition.speaker_adaptation import (
    FEWEST,
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
    np.testing.assert_array_equal(found.cell.class_logits.bias, expected.cell.class_logits.bias)
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
    assert len(cuts) == 3
    after = cuts / RATE - 3.5 * np.arange(3)
    assert ((after > 3.0) & (after < 3.5)).all()
    np.testing.assert_array_equal(np.concatenate(found), sound[: cuts[-1]])


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


def test_evaluation_adapts_to_each_speaker_by_the_others_of_theirs(
    model: VRNN, synthetic_corpus: Corpus
):
    found = evaluate(model, synthetic_corpus, adapt_speakers=True, progress=False)

    paths = [utterance.path for utterance in synthetic_corpus if utterance.speaker == "02"]
    rows = {row["file"]: row["predicted_adapted"] for row in found.predictions}
    assert synthetic_corpus.root is not None
    for path in paths[:3]:
        alone = adapt_to_speaker(model, [other for other in paths if other != path])
        (line,) = Recognizer(alone).recognize_files([path])
        assert rows[str(path.relative_to(synthetic_corpus.root))] == line["emotion"]
    assert found.adapted_speakers is not None
    right = [row["predicted_adapted"] == row["emotion"] for row in found.predictions]
    assert found.adapted_speakers.weighted_accuracy == np.mean(right)
    table = results.summary(found).splitlines()[-3:]
    assert table[0].split() == ["corpus", "WA", "UA", "WA+", "UA+"]
    assert table[1].split()[3] == f"{np.mean(right):.1%}"
    assert table[2] == "+ each speaker known by the others of their utterances, without labels"
    html = report.evaluation_report(finite(found.to_dict()), {}, {})
    assert html.count("weighted+ (%)") == 2
    assert html.count("weighted* (%)") == 0


def test_without_enough_others_or_a_name_an_answer_stays():
    speakers = ["ann"] * FEWEST + [""] * (len(LOGITS) - FEWEST)
    with pytest.raises(CorpusError, match=r"more than 3 utterances, .* found 1 with fewer"):
        adapted_speakers.adapt(PROBABILITIES, speakers)
    both = np.concatenate([PROBABILITIES] * 2)

    found = adapted_speakers.adapt(both, [*speakers, *["bob"] * len(LOGITS)])

    np.testing.assert_array_equal(found[: len(LOGITS)], PROBABILITIES)
    assert not np.isclose(found[len(LOGITS) :], PROBABILITIES).any()


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:.*left out 7 recordings of CREMA-D")
def test_people_are_recognised_better_once_their_voices_are_known(crema_d: Path):
    """Eight people whom `open` was not trained on, each by some 80 others of their recordings."""
    _, test = splits.by_speaker(corpora.load("crema-d", crema_d), fold=4, folds=9)

    found = evaluate(VRNN.from_preset("open"), test, adapt_speakers=True, progress=False)

    assert found.adapted_speakers is not None
    assert found.adapted_speakers.unweighted_accuracy > found.unweighted_accuracy + 0.02
