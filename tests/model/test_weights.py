"""The weights that come with the package: there, small, and used where no model is named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras import corpora
from ser_keras.commands import main as cli
from ser_keras.corpora.ravdess import EMOTIONS
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError
from ser_keras.evaluation.evaluate import evaluate
from ser_keras.model import presets
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer

CARD = Path(__file__).parents[2] / "docs" / "model-card.md"


def test_all_weights_together_are_small():
    files = [presets.weights(name) for name in presets.trained()]
    assert presets.trained() == ("convolutional", "tiny")
    assert sum(file.stat().st_size for file in files if file) < 6e6


def test_their_license_is_stated_once_a_process(capsys: pytest.CaptureFixture[str]):
    presets._state_license.cache_clear()
    assert presets.weights("ravdess") is None
    assert capsys.readouterr().err == ""
    for name in presets.trained():
        assert presets.weights(name)
    (line,) = capsys.readouterr().err.splitlines()
    assert all(name in line for name in (*presets.trained(), "CC BY-NC-SA 4.0"))
    assert Path(line.rpartition(": ")[2]).is_file()


@pytest.mark.parametrize("name", presets.trained())
def test_a_preset_without_classes_is_the_trained_model(name: str):
    model = VRNN.from_preset(name)
    assert model.preset == presets.get(name)
    assert model.adapted
    assert model.classes == tuple(EMOTIONS)
    new = VRNN.from_preset(name, classes=EMOTIONS, seed=0)
    assert not new.adapted


def test_no_weights_and_replaced_settings_need_classes():
    with pytest.raises(ConfigurationError, match="only the presets convolutional, tiny"):
        VRNN.from_preset("ravdess")
    with pytest.raises(ConfigurationError, match="classes: expected the names of the emotions"):
        VRNN.from_preset("convolutional", attention=False)


@pytest.fixture
def own_manifest(synthetic_corpus: Corpus, tmp_path: Path) -> Path:
    """A corpus of a user's own, of three emotions."""
    path = tmp_path / "mine.csv"
    lines = [
        f"{utterance.path},{utterance.emotion},{utterance.speaker}\n"
        for utterance in synthetic_corpus
        if utterance.emotion in ("calm", "happy", "sad")
    ]
    path.write_text("path,emotion,speaker\n" + "".join(lines), encoding="utf-8")
    return path


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_training_on_data_of_ones_own_begins_as_the_model_card_shows(
    own_manifest: Path, eagerly: None
):
    (code,) = re.findall(r"```python\n(.*?)```", CARD.read_text(encoding="utf-8"), re.DOTALL)
    code = code.replace("/data/mine.csv", str(own_manifest)).replace("epochs=10", "verbose=0")
    loading, training = code.split("model.compile()")
    names: dict[str, Any] = {}
    with pytest.warns(UserWarning, match="could not be loaded"):
        exec(compile(loading, CARD.name, "exec"), names)  # noqa: S102
    model, trained = names["model"], VRNN.from_preset("tiny")
    assert model.classes == ("calm", "happy", "sad")
    assert model.adapted
    new = [one.path for one, other in zip(model.weights, trained.weights, strict=True)
           if one.shape != other.shape or not np.array_equal(one, other)]  # fmt: skip
    assert [path.split("cell/")[1] for path in new] == [
        "temperature",
        "class_logits/kernel",
        "class_logits/bias",
    ]
    exec(compile("model.compile()" + training, CARD.name, "exec"), names)  # noqa: S102
    assert len(model.history.history["loss"]) == 1
    assert np.isfinite(model.history.history["loss"][0])


def test_predict_needs_no_training(sound_file: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["predict", str(sound_file)]) == 0
    line = json.loads(capsys.readouterr().out)
    assert list(line["probabilities"]) == list(EMOTIONS)
    assert len(line["instants"][0]["attention"]) == 64 * 64


@pytest.fixture
def sound_file(tmp_path: Path) -> Path:
    import soundfile

    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).normal(size=48000) / 20, 16000)
    return path


@pytest.mark.parametrize("name", presets.trained())
def test_a_constant_that_a_microphone_adds_changes_no_answer(name: str):
    generator = np.random.default_rng(0)
    swell = np.sin(np.arange(48000) / 4000) ** 2
    samples = (0.05 * swell * generator.normal(size=48000)).astype(np.float32)
    recognizer = Recognizer(VRNN.from_preset(name))
    answers = [
        list(recognizer.recognize_samples(samples + np.float32(offset))["probabilities"].values())
        for offset in (0.0, 0.005)
    ]
    np.testing.assert_allclose(answers[1], answers[0], atol=0.05)


@pytest.mark.real
@pytest.mark.parametrize("name", presets.trained())
def test_weights_belong_to_the_features(name: str, ravdess: Path):
    """On speakers it was trained on: no evidence of quality, but of the right weights and units."""
    corpus = corpora.load("ravdess", ravdess)
    found = evaluate(VRNN.from_preset(name), corpus[::24], progress=False)
    assert found.weighted_accuracy > 0.8
